"""An order that supersedes a restart under way: on the way forward nobody waits for it, on every other way all do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from noonday_agent.core.journal import Way
from noonday_agent.core.limits import Limits
from noonday_agent.hooks import HookCall
from noonday_agent.parts import Parts
from noonday_agent.processes.patience import Patience
from noonday_shared.clock import Clock
from noonday_shared.errors import Deadline, Permanent
from noonday_shared.messages import Goal, Outcome
from noonday_shared.release.manifest import HookFiles
from support.fake_host import FakeHost, assignment, ref
from support.fake_process import FakeProcess
from support.virtual_clock import VirtualClock

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")
TAKES = 50.0
"""Seconds that the app needs to stop."""
LIMITS = Limits(restart_within=60.0, healthy_within=5.0, return_within=5.0, idle_within=2.0)


class SlowToStop(FakeProcess):
    """Waits as the real ones do. `meanwhile` happens once, while the app stops."""

    def __init__(self, clock: Clock, patience: Patience) -> None:
        super().__init__(clock)
        self._patience = patience
        self.meanwhile: Callable[[], None] = lambda: None

    def _spend(self, seconds: float, within: float, what: str) -> None:
        over = self._clock.now() + seconds
        meanwhile, self.meanwhile = (self.meanwhile, lambda: None) if seconds else (lambda: None, self.meanwhile)
        meanwhile()
        self._patience.wait(
            lambda: self._clock.now() >= over,
            what="a restart",
            late=what,
            within=within,
            clock=self._clock,
            next_action="wait",
            every=0.1,
        )


class Host(FakeHost):
    def build(self) -> None:
        super().build()
        self.patience = Patience()
        self.process: SlowToStop = SlowToStop(self.clock, self.patience)
        self.process.on_start = self._started

    def parts(self) -> Parts:
        return replace(super().parts(), patience=self.patience)


def serving_old() -> Host:
    """It serves 1.0.0, has 1.1.0 prepared, and its app has become slow to stop."""
    host = Host(limits=LIMITS)
    for generation, (goal, release) in enumerate(((Goal.SERVING, OLD), (Goal.PREPARED, NEW)), start=1):
        host.runner.offer(assignment(host.clock, goal, release, generation=generation, previous=OLD))
        host.settle()
    assert host.serves == OLD.id
    host.process.stop_takes = TAKES
    host.restarted_into.clear()
    return host


class StoppedInAHook(FakeHost):
    """Its agent is told to stop while a hook runs, which takes 100 s if it may."""

    ended_after = 0.0

    def _hook(self, call: HookCall) -> None:
        begun = self.clock.now()
        self.runner.leave(hook_within=70.0)
        while not call.cancelled() and self.clock.now() < begun + 100.0:
            self.clock.sleep(0.1)
        self.ended_after = self.clock.now() - begun
        if call.cancelled():
            raise Permanent("It was ended.", rule="hook-cancelled", next_action="read its output")


def said_back(host: Host) -> Callable[[], None]:
    return lambda: host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=4, previous=OLD))


def test_a_host_on_its_way_forward_turns_back_while_its_app_still_stops() -> None:
    host = serving_old()
    aborted: list[float] = []

    def abort() -> None:
        aborted.append(host.clock.now())
        said_back(host)()

    host.process.meanwhile = abort
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, previous=OLD))
    while not (host.runner.journal.attempt and host.runner.journal.attempt.way == "back"):
        host.turn()
    assert host.clock.now() - aborted[0] < TAKES / 10
    journal = host.settle()
    assert (journal.outcome, journal.trouble, journal.out_by_us, host.serves) == (Outcome.DONE, None, False, OLD.id)
    assert host.restarted_into == [OLD.id]


def test_a_host_on_its_way_back_waits_for_the_restart_that_brings_its_release_back() -> None:
    host = serving_old()
    host.sick.add(NEW.version)
    host.process.stop_takes = 0.0
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, previous=OLD))
    while not (host.runner.journal.attempt and host.runner.journal.attempt.way == "back"):
        host.turn()
    host.process.stop_takes = TAKES
    host.process.meanwhile = said_back(host)
    restarts = host.process.restarts
    journal = host.settle()
    assert (journal.outcome, journal.out_by_us, host.serves) == (Outcome.DONE, False, OLD.id)
    assert host.process.restarts == restarts + 1


def test_a_restart_into_the_same_release_is_waited_for_and_the_newer_order_followed_then() -> None:
    host = serving_old()
    newer = assignment(host.clock, Goal.SERVING, NEW, generation=4, previous=OLD)
    host.process.meanwhile = lambda: host.runner.offer(newer)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=3, restart_for="r1"))
    journal = host.settle()
    assert (journal.outcome, journal.out_by_us, host.serves) == (Outcome.DONE, False, NEW.id)
    assert host.restarted_into == [OLD.id, NEW.id]


def test_a_hook_that_runs_at_the_stop_is_ended_when_its_time_is_over_and_the_next_agent_goes_back() -> None:
    host = StoppedInAHook(limits=LIMITS)
    host.serve_first(OLD)
    host.releases.hooks[NEW.version] = HookFiles(post_activate="hooks/post")
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2, previous=OLD))
    host.turn_until(lambda: host.ended_after > 0.0)
    assert 69.5 < host.ended_after < 71.0
    attempt = host.runner.journal.attempt
    assert attempt is not None
    assert (attempt.way, host.runner.in_hook) == (Way.BACK, False)
    host.agent()
    journal = host.settle()
    assert (journal.outcome, journal.out_by_us, host.serves) == (Outcome.REVERTED, False, OLD.id)


def test_a_wait_that_nobody_gives_up_ends_at_its_deadline() -> None:
    clock, patience = VirtualClock(), Patience()
    wait = {"what": "a restart", "late": "the app has not stopped", "next_action": "look", "every": 0.1}
    with pytest.raises(Deadline, match="the app has not stopped: not seen after 3 s"):
        patience.wait(lambda: False, within=3.0, clock=clock, **wait)  # type: ignore[arg-type]
    with patience.lasting_until(lambda: True), pytest.raises(Permanent, match="given up"):
        patience.wait(lambda: False, within=3.0, clock=clock, **wait)  # type: ignore[arg-type]
    with patience.lasting_until(lambda: True):
        patience.wait(lambda: True, within=3.0, clock=clock, **wait)  # type: ignore[arg-type]


def test_what_ends_while_the_load_balancers_are_asked_ended_in_time() -> None:
    clock, patience = VirtualClock(), Patience()
    begun = clock.now()

    def slow_to_answer() -> bool:
        clock.sleep(5.0)
        return False

    with patience.lasting_until(slow_to_answer):
        patience.wait(
            lambda: clock.now() >= begun + 3.0,
            what="a restart",
            late="the app has not stopped",
            within=4.0,
            clock=clock,
            next_action="look",
            every=0.1,
        )
