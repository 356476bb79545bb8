"""What outlived an agent is found by its note: the command and all of its group, and nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from noonday_agent import underway
from noonday_agent.commands import run_command
from noonday_agent.config import CommandProcess, Hooks
from noonday_agent.hooks import HookCall, run_hook
from noonday_agent.probes.running import started
from noonday_agent.processes.build import build_process
from noonday_agent.underway import RESTART, Leftover, Underway, end_all_but_restart, note_of
from noonday_shared.errors import NoondayError
from support.eventually import eventually
from support.fake_host import ref

AGENT = (
    "import sys; from pathlib import Path; from noonday_agent.commands import run_command;"
    "from noonday_agent.underway import Underway;"
    "run_command(['sh', '-c', sys.argv[2]], within=300, underway=Underway(Path(sys.argv[1])))"
)
STUBBORN = "trap '' TERM; while :; do sleep 0.1; done"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "underway" / "web.hook.json"


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as process:
        yield process
        process.kill()


@pytest.fixture
def outlived(file: Path, tmp_path: Path) -> Iterator[Callable[[str, int], list[int]]]:
    """Runs a script of which so many processes write their ids to the file `$pids`, in an agent that is then killed."""
    pids = tmp_path / "pids"

    def run(script: str, many: int) -> list[int]:
        env = os.environ | {"pids": str(pids)}
        with subprocess.Popen([sys.executable, "-c", AGENT, str(file), script], env=env) as agent:
            try:
                eventually(lambda: len(pids.read_text().split()) == many and _noted(file), what="the noted command")
            finally:
                agent.kill()
        return [int(word) for word in pids.read_text().split()]

    yield run
    for pid in pids.read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def _noted(file: Path) -> bool:
    left = Underway(file).outlived()
    return left is not None and left.pid != 0


def _lives(pid: int) -> bool:
    return started(pid) is not None


def test_what_outlived_its_agent_is_ended_with_its_whole_group_whatever_it_ignores(
    outlived: Callable[[str, int], list[int]], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(underway, "GRACE", 0.3)
    script = f"echo $$ > $pids; ({STUBBORN}) >/dev/null 2>&1 & echo $! >> $pids; wait"
    pids = outlived(script, 2)
    left = Underway(file).outlived()
    assert left is not None
    assert (left.runs, left.pid) == (True, pids[0])
    Underway(file).end_outlived()
    assert not any(map(_lives, pids))
    assert Underway(file).outlived() is None


def test_where_the_command_has_ended_what_shares_its_output_is_ended(
    outlived: Callable[[str, int], list[int]], file: Path
) -> None:
    command, child = outlived("echo $$ > $pids; sleep 300 & echo $! >> $pids; sleep 1", 2)
    eventually(lambda: not _lives(command), what="the end of the command itself")
    left = Underway(file).outlived()
    assert left is not None
    assert not left.runs
    assert _lives(child)
    assert left.end()
    assert not _lives(child)


def test_an_agent_that_died_before_its_second_note_is_known_by_the_commands_output(file: Path) -> None:
    ours, its = os.pipe()
    noted = Underway(file)
    noted.begins(its)
    with subprocess.Popen(["sleep", "300"], stdout=its, start_new_session=True) as command:
        os.close(its)
        left = Underway(file).outlived()
        assert left is not None
        assert (left.pid, left.runs) == (0, True)
        assert left.end()
        assert command.wait(timeout=60) == -signal.SIGTERM
    assert not left.runs
    os.close(ours)


def test_a_command_that_ended_at_once_does_not_run_though_what_it_started_holds_its_output(file: Path) -> None:
    ours, its = os.pipe()
    noted = Underway(file)
    noted.begins(its)
    with subprocess.Popen(["true"]) as command:
        command.wait(timeout=60)
        noted.began(command.pid)
    with subprocess.Popen(["sleep", "300"], stdout=its, start_new_session=True) as app:
        left = Underway(file).outlived()
        assert left is not None
        assert not left.runs
        app.kill()
    os.close(ours)
    os.close(its)


@pytest.mark.parametrize(
    "change", [{"started": 1.0}, {"boot": "of before"}, {"pid": 0, "started": 0.0}], ids=["start", "boot", "no-pid"]
)
def test_nobody_is_taken_for_a_command_by_his_number_alone(
    change: dict[str, object], stranger: subprocess.Popen[bytes]
) -> None:
    since = started(stranger.pid)
    assert since is not None
    known: dict[str, object] = {"boot": underway._boot(), "pid": stranger.pid, "started": since}
    assert Leftover(since=0.0, output="pipe:[1]", **known).runs  # type: ignore[arg-type]
    left = Leftover(since=0.0, output="pipe:[1]", **(known | change))  # type: ignore[arg-type]
    assert not left.runs
    assert not left.end()
    assert stranger.poll() is None


def test_a_note_is_gone_once_its_command_has_ended_well_or_not(file: Path, tmp_path: Path) -> None:
    noted, seen = Underway(file), tmp_path / "seen"
    (tmp_path / "hook").write_text(f"#!/bin/sh\ntest -s {file} && touch {seen}\nexit 1\n")
    (tmp_path / "hook").chmod(0o755)
    call = HookCall("pre_activate", "hook", "web", "web-1", "r-1", tmp_path, ref("1.1.0"), None)
    with pytest.raises(NoondayError, match="failed with 1"):
        run_hook(call, Hooks(), tmp_path, noted)
    assert (seen.exists(), file.exists()) == (True, False)
    seen.unlink()
    script = ("sh", "-c", f"test -s {file} && touch {seen}; exit 1")
    settings = CommandProcess(kind="command", restart=script, pid_file=tmp_path / "pid")
    with pytest.raises(NoondayError, match="failed with 1"):
        build_process(settings, underway=noted).restart(10)
    assert (seen.exists(), file.exists()) == (True, False)


def test_a_note_that_can_not_be_written_or_read_keeps_no_command_from_running(file: Path) -> None:
    file.parent.write_text("in the way")
    noted = Underway(file)
    assert run_command(["true"], within=10, underway=noted).ok
    assert noted.outlived() is None
    file.parent.unlink()
    file.parent.mkdir()
    file.write_text("no note")
    assert noted.outlived() is None
    noted.end_outlived()
    assert run_command(["true"], within=10, underway=noted).ok


def test_all_that_outlived_an_agent_is_ended_but_restarts_and_what_is_of_other_apps(tmp_path: Path) -> None:
    names = [("web", "hook"), ("web", "balancer-1"), ("web", RESTART), ("web-2", "hook")]
    commands = {}
    ours, its = os.pipe()
    for name in names:
        noted = note_of(tmp_path, *name)
        noted.begins(its)
        commands[name] = subprocess.Popen(["sleep", "300"], start_new_session=True)
        noted.began(commands[name].pid)
    os.close(ours)
    os.close(its)
    end_all_but_restart(tmp_path, "web")
    ended = [name for name, command in commands.items() if not _lives(command.pid)]
    for command in commands.values():
        command.kill()
        command.wait(timeout=60)
    assert ended == names[:2]


def test_what_a_restart_may_still_take_is_counted_from_its_start() -> None:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    left = Leftover(underway._boot(), now - 20.0, "pipe:[1]")
    assert 35.0 < left.seconds_left(60.0) <= 40.0
    assert left.seconds_left(10.0) == 0.0


def test_a_restart_of_before_the_machine_came_up_has_nothing_left_to_show() -> None:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert Leftover("of before", now + 864_000.0, "pipe:[1]").seconds_left(60.0) == 0.0
    assert Leftover("of before", max(now - 20.0, 0.0), "pipe:[1]").seconds_left(60.0) == 0.0
