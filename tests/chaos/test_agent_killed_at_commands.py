"""Agents killed by SIGKILL as they have just started a command, before and after they noted which process it is: the
next agent finds it all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from noonday_agent.probes.running import started
from noonday_shared.messages import Outcome
from support.command_host import CommandHost
from support.eventually import eventually

HOOK = ("started:hook", "noted:hook")
RESTART = ("started:restart", "noted:restart")
BALANCER = ("started:balancer", "noted:balancer")
POINTS = (*HOOK, *RESTART, *BALANCER)
"""All of these; compared with the code by `test_crash_points`."""

HANGS_ONCE = "if [ ! -e {top}/pids ]; then echo $$ > {top}/pids; sleep 600; fi"
WAITS = "echo $$ >> {top}/pids; while [ ! -e {top}/go ]; do sleep 0.02; done"
BALANCER_COMMAND = """\
#!/bin/sh
case $1 in
    take_out) %s; touch {top}/out ;;
    put_back) rm -f {top}/out ;;
    idle) [ -e {top}/out ] ;;
    in_service) [ ! -e {top}/out ] ;;
esac
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[CommandHost]:
    lb = tmp_path / "lb"
    lb.write_text((BALANCER_COMMAND % HANGS_ONCE).format(top=tmp_path))
    lb.chmod(0o755)
    (tmp_path / "pids").touch()  # nothing hangs yet
    verbs = ", ".join(f'{verb} = ["{lb}", "{verb}"]' for verb in ("take_out", "put_back", "in_service", "idle"))
    made = CommandHost(tmp_path, balancer=f'{{ kind = "command", {verbs} }}')
    made.start_agent()
    try:
        made.serve(made.build("1.0.0"))
        yield made
    finally:
        made.close()
        print(made.agent_log)  # pytest shows it when the test failed


@pytest.mark.parametrize("point", HOOK)
def test_a_hook_is_ended_and_not_run_again(point: str, host: CommandHost, tmp_path: Path) -> None:
    old, script = host.journal.proven, f"#!/bin/sh\necho $$ >> {tmp_path}/pids\nexec sleep 600\n"
    host.say(host.build("1.1.0", hook="post_activate", script=script))
    host.dies_at(f"agent:{point}")
    (hook,) = eventually(lambda: _pids(tmp_path), what="the hook")
    assert _lives(hook)
    host.start_agent()
    end = host.ended()
    assert end.trouble is not None
    assert (end.outcome, end.trouble.rule, end.proven) == (Outcome.REVERTED, "hook-interrupted", old)
    assert _pids(tmp_path) == [hook]
    assert not _lives(hook)


@pytest.mark.parametrize("point", RESTART)
def test_a_restart_command_is_let_end_and_not_run_again(point: str, host: CommandHost, tmp_path: Path) -> None:
    built = host.build("1.1.0")
    host.trouble(WAITS.format(top=tmp_path))
    host.say(built)
    host.dies_at(f"agent:{point}")
    host.start_agent()
    eventually(lambda: "it is let end first" in host.agent_log, what="the wait for the command")
    (tmp_path / "go").touch()
    end = host.ended()
    assert (end.outcome, end.proven, end.out_by_us) == (Outcome.DONE, built.signed.ref, False)
    assert host.restarts[1:] == [built.signed.ref.id]
    assert host.starts == ["1.0.0", "1.1.0"]


@pytest.mark.parametrize("point", BALANCER)
def test_an_order_to_a_load_balancer_is_ended_before_it_is_given_again(
    point: str, host: CommandHost, tmp_path: Path
) -> None:
    built = host.build("1.1.0")
    (tmp_path / "pids").unlink()
    host.say(built)
    host.dies_at(f"agent:{point}")
    (order,) = eventually(lambda: _pids(tmp_path), what="the order that hangs")
    assert _lives(order)
    host.start_agent()
    end = host.ended()
    assert (end.outcome, end.proven, end.out_by_us) == (Outcome.DONE, built.signed.ref, False)
    assert not _lives(order)


def _pids(top: Path) -> list[int]:
    file = top / "pids"
    return [int(word) for word in file.read_text().split()] if file.exists() else []


def _lives(pid: int) -> bool:
    return started(pid) is not None
