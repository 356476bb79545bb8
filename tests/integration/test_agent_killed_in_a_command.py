"""An agent killed or stopped while a command runs that it started: the command neither outlives it unseen nor runs
twice. With the real runner in a process of its own, a real app and real commands."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from noonday_agent.core.journal import Stage
from noonday_shared.messages import Outcome
from noonday_shared.release.archive import BuiltRelease
from support.command_host import CommandHost
from support.eventually import eventually

HOOK = """\
#!/bin/sh
echo $$ >> {top}/hook
(trap '' TERM; while :; do sleep 0.1; done) &
echo $! >> {top}/hook
wait
"""
BESIDE = """\
for pid in $(cat {top}/hook 2>/dev/null); do
    case $(cut -d' ' -f3 /proc/$pid/stat 2>/dev/null) in ''|Z) ;; *) echo $pid >> {top}/beside ;; esac
done
"""
"""In a restart command: says whether the hook still lives."""
WAITS = "touch {top}/waits; while [ ! -e {top}/go ]; do sleep 0.02; done"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[CommandHost]:
    made = CommandHost(tmp_path)
    yield from _serving(made)


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[CommandHost]:
    """Its restart has little time."""
    yield from _serving(CommandHost(tmp_path, within=4.0))


def _serving(made: CommandHost) -> Iterator[CommandHost]:
    made.start_agent()
    try:
        made.serve(made.build("1.0.0"))
        yield made
    finally:
        made.close()
        print(made.agent_log)  # pytest shows it when the test failed


def _dies_while(host: CommandHost, seen: Callable[[], bool], what: str) -> None:
    eventually(seen, what=what)
    host.kill_agent()


def _serves(host: CommandHost, built: BuiltRelease, outcome: Outcome) -> None:
    end = host.ended()
    assert (end.outcome, end.proven, end.out_by_us) == (outcome, built.signed.ref, False)


def test_a_restart_command_that_outlives_its_agent_is_let_end_and_not_run_again(
    host: CommandHost, tmp_path: Path
) -> None:
    built = host.build("1.1.0")
    host.trouble(WAITS.format(top=tmp_path))
    host.say(built)
    _dies_while(host, (tmp_path / "waits").exists, "the restart command")
    host.start_agent()
    eventually(lambda: "it is let end first" in host.agent_log, what="the wait for the command")
    (tmp_path / "go").touch()
    _serves(host, built, Outcome.DONE)
    assert host.restarts[1:] == [built.signed.ref.id]
    assert host.starts == ["1.0.0", "1.1.0"]


def test_a_restart_command_that_outlives_its_agent_and_does_not_end_is_ended_in_its_time_and_ordered_anew(
    hasty: CommandHost, tmp_path: Path
) -> None:
    built = hasty.build("1.1.0")
    hasty.trouble(f"echo $$ >> {tmp_path}/hangs; [ -e {tmp_path}/waits ] || {{ {WAITS.format(top=tmp_path)}; }}")
    hasty.say(built)
    _dies_while(hasty, (tmp_path / "waits").exists, "the restart command")
    hasty.start_agent()
    _serves(hasty, built, Outcome.DONE)
    hung, again = (tmp_path / "hangs").read_text().split()
    assert not _lives(int(hung))
    assert hung != again
    assert hasty.starts == ["1.0.0", "1.1.0"]


def test_a_restart_whose_command_had_ended_and_whose_app_comes_later_is_not_ordered_again(
    host: CommandHost, tmp_path: Path
) -> None:
    built = host.build("1.1.0")
    host.end(f"( {WAITS.format(top=tmp_path)}; start ) >/dev/null 2>&1 &")
    host.say(built)
    _dies_while(host, (tmp_path / "waits").exists, "the restart")
    host.start_agent()
    eventually(lambda: _stands_at(host, Stage.RESTART), what="the wait for the app")
    (tmp_path / "go").touch()
    _serves(host, built, Outcome.DONE)
    assert host.restarts[1:] == [built.signed.ref.id]
    assert host.starts == ["1.0.0", "1.1.0"]


@pytest.mark.parametrize(("hook", "outcome"), [("pre_activate", Outcome.FAILED), ("post_activate", Outcome.REVERTED)])
def test_a_hook_that_outlives_its_agent_is_ended_with_all_that_it_started_and_not_run_again(
    hook: str, outcome: Outcome, host: CommandHost, tmp_path: Path
) -> None:
    old, built = host.journal.proven, host.build("1.1.0", hook=hook, script=HOOK.format(top=tmp_path))
    host.trouble(BESIDE.format(top=tmp_path))
    host.say(built)
    _dies_while(host, lambda: len(_pids(tmp_path)) == 2, "the hook")
    assert all(map(psutil.pid_exists, _pids(tmp_path)))
    host.start_agent()
    end = host.ended()
    assert end.trouble is not None
    assert (end.outcome, end.trouble.rule, end.proven, end.out_by_us) == (outcome, "hook-interrupted", old, False)
    eventually(lambda: not any(map(_lives, _pids(tmp_path))), what="the end of the hook")
    assert len(_pids(tmp_path)) == 2
    assert not (tmp_path / "beside").exists()


def test_an_agent_that_is_told_to_stop_lets_a_hook_end_first(host: CommandHost, tmp_path: Path) -> None:
    script = f"#!/bin/sh\necho ran >> {tmp_path}/hook\n{WAITS.format(top=tmp_path)}\nsleep 3\necho >> {tmp_path}/hook\n"
    built = host.build("1.1.0", hook="post_activate", script=script)
    host.say(built)
    eventually((tmp_path / "waits").exists, what="the hook")
    (tmp_path / "go").touch()  # it then takes longer than an agent has for a step that is no hook
    host.stop_agent()
    assert (tmp_path / "hook").read_text() == "ran\n\n"
    host.start_agent()
    _serves(host, built, Outcome.DONE)
    assert (tmp_path / "hook").read_text() == "ran\n\n"


def _stands_at(host: CommandHost, stage: Stage) -> bool:
    attempt = host.journal.attempt
    return attempt is not None and attempt.stage is stage and attempt.perhaps_restarted and attempt.begun


def _pids(top: Path) -> list[int]:
    file = top / "hook"
    return [int(word) for word in file.read_text().split()] if file.exists() else []


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("back", [False, True])
def test_a_machine_that_went_down_in_the_restart_orders_it_anew_at_once(
    hasty: CommandHost, tmp_path: Path, back: bool
) -> None:
    built = hasty.build("1.1.0", **({"hook": "post_activate", "script": "#!/bin/sh\nexit 1\n"} if back else {}))
    wanted = "1.0.0" if back else "1.1.0"
    waits = WAITS.format(top=tmp_path)
    hasty.trouble(f"case $(readlink {tmp_path}/web/current) in *{wanted}*) {waits};; esac")
    hasty.say(built)
    note = tmp_path / "state" / "underway" / "web.restart.json"
    eventually(lambda: (tmp_path / "waits").exists() and json.loads(note.read_text())["pid"], what="the restart")
    hasty.kill_agent()
    left = json.loads(note.read_text())
    os.killpg(left["pid"], signal.SIGKILL)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    note.write_text(json.dumps({**left, "boot": "of before", "since": left["since"] + 864_000.0}))
    (tmp_path / "go").touch()
    hasty.start_agent()
    eventually(lambda: hasty.journal.attempt is None and hasty.journal.outcome is not Outcome.WORKING, what="its end")
    assert hasty.journal.outcome is (Outcome.REVERTED if back else Outcome.DONE)
