"""An order that supersedes an attempt while a load balancer does not answer: on the way forward nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from noonday_agent import config
from noonday_agent.balancers.command import CommandBalancer
from noonday_agent.balancers.haproxy import HaproxyBalancer
from noonday_agent.balancers.pool import Pool
from noonday_agent.core.journal import Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.parts import Parts
from noonday_agent.processes.patience import Patience
from noonday_shared.errors import Temporary
from noonday_shared.messages import Goal, Outcome
from support.eventually import eventually
from support.fake_host import FakeHost, assignment, ref

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")
LIMITS = Limits(restart_within=60.0, healthy_within=5.0, return_within=5.0, idle_within=2.0)
VERBS = ("take_out", "idle", "put_back", "in_service")
COMMAND = """\
#!/bin/sh
case $1 in
    take_out) touch {top}/out ;;
    put_back) rm -f {top}/out ;;
    idle) [ -e {top}/out ]; answer=$? ;;
    in_service) [ ! -e {top}/out ]; answer=$? ;;
esac
if [ -e {top}/hangs-$1 ]; then
    touch {top}/hangs
    sleep 300
fi
exit ${{answer:-0}}
"""


class Host(FakeHost):
    """Its load balancer is behind commands, of which those hang for 300 s that are told to, after their work."""

    def __init__(self, top: Path) -> None:
        self.top = top
        (top / "lb").write_text(COMMAND.format(top=top))
        (top / "lb").chmod(0o755)
        (top / "out").touch()
        super().__init__(limits=LIMITS)

    def parts(self) -> Parts:
        verbs = {verb: (str(self.top / "lb"), verb) for verb in VERBS}
        settings = config.CommandBalancer(kind="command", timeout=600.0, **verbs)
        patience = Patience()
        pool = Pool((CommandBalancer(settings, "command lb", patience),))
        return replace(super().parts(), pool=pool, patience=patience)

    @property
    def is_in(self) -> bool:
        return not (self.top / "out").exists()

    def hang(self, verb: str, *, hangs: bool = True) -> None:
        file = self.top / f"hangs-{verb}"
        file.touch() if hangs else file.unlink()

    def turn_in_a_thread(self, over: Callable[[], bool]) -> threading.Thread:
        def run() -> None:
            while not over():
                self.turn()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """It serves 1.0.0, and has 1.1.0 prepared."""
    made = Host(tmp_path)
    for generation, (goal, release) in enumerate(((Goal.SERVING, OLD), (Goal.PREPARED, NEW)), start=1):
        made.runner.offer(assignment(made.clock, goal, release, generation=generation, previous=OLD))
        made.settle()
    assert (made.running, made.is_in) == (OLD.id, True)
    return made


@pytest.mark.parametrize(
    ("verb", "stage"),
    [("take_out", Stage.DRAIN), ("idle", Stage.WAIT_IDLE), ("put_back", Stage.RETURN), ("in_service", Stage.CONFIRM)],
)
def test_a_host_turns_back_while_a_command_of_its_load_balancer_hangs_and_serves_the_old_release_again(
    verb: str, stage: Stage, host: Host
) -> None:
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, previous=OLD))
    host.turn_until(lambda: host.runner.journal.attempt is not None and host.runner.journal.attempt.stage is stage)
    host.hang(verb)
    turns = host.turn_in_a_thread(lambda: host.runner.journal.attempt is None or _goes_back(host))
    eventually((host.top / "hangs").exists, what=f"the {verb} that hangs")
    assert host.is_in or host.file.kept.out_by_us, "whatever the command has done by now, the journal knows"
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=4, previous=OLD))
    turns.join(60)
    assert _goes_back(host)
    host.hang(verb, hangs=False)
    journal = host.settle()
    assert (journal.outcome, journal.trouble, journal.out_by_us) == (Outcome.DONE, None, False)
    assert (host.running, host.is_in) == (OLD.id, True)


def test_a_host_turns_back_while_a_load_balancer_is_asked_whether_it_lets_in_what_is_held_out(host: Host) -> None:
    host.sick.add(NEW.version)
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, previous=OLD))
    host.turn_until(lambda: host.runner.journal.attempt is not None and host.runner.journal.attempt.stage == "warm-up")
    host.hang("in_service")
    turns = host.turn_in_a_thread(lambda: _goes_back(host))
    eventually((host.top / "hangs").exists, what="the question that hangs")
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=4, previous=OLD))
    turns.join(60)
    assert _goes_back(host)
    why = host.runner.journal.attempt.why if host.runner.journal.attempt else None
    assert why is not None
    assert why.rule == "superseded"


def test_a_newer_order_does_not_wait_for_what_a_load_balancer_was_asked_before_an_attempt(host: Host) -> None:
    host.hang("in_service")
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, previous=OLD))
    turns = host.turn_in_a_thread(lambda: host.runner.journal.assignment.generation == 4)  # type: ignore[union-attr]
    eventually((host.top / "hangs").exists, what="the question that hangs")
    host.runner.offer(assignment(host.clock, Goal.PREPARED, NEW, generation=4, previous=OLD))
    turns.join(60)
    assert not turns.is_alive()


def test_on_the_way_back_a_command_is_waited_for_whatever_is_asked_meanwhile(host: Host) -> None:
    host.sick.add(NEW.version)
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, previous=OLD))
    host.turn_until(lambda: _goes_back(host) and host.runner.journal.attempt.stage == "return")  # type: ignore[union-attr]
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=4, previous=OLD))
    host.turn()
    assert host.is_in


def test_haproxy_is_asked_nothing_more_once_something_else_is_asked_of_the_host(tmp_path: Path) -> None:
    settings = config.HaproxyBalancer(kind="haproxy", address=str(tmp_path / "none"), backend="web", server="web-1")
    patience = Patience()
    haproxy = HaproxyBalancer(settings, "haproxy web/web-1", patience)
    verbs = (haproxy.in_service, haproxy.take_out, haproxy.is_out, haproxy.idle, haproxy.put_back, haproxy.check)
    for verb in verbs:
        with pytest.raises(Temporary, match="can't be asked"):
            verb()
        with patience.lasting_until(lambda: True), pytest.raises(Temporary, match="was given up") as caught:
            verb()
        assert caught.value.rule == "superseded"


def _goes_back(host: Host) -> bool:
    attempt = host.runner.journal.attempt
    return attempt is not None and attempt.way is Way.BACK
