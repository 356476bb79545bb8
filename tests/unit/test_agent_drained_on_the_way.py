"""A host that an operator drains while its agent is on its way back is not let in for a moment."""

from __future__ import annotations

import pytest

from noonday_agent.core.journal import Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.runner import IDLE
from noonday_shared.messages import Goal, Outcome
from support.fake_host import FakeHost, assignment, ref

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")
QUICK = Limits(healthy_within=5.0, return_within=5.0, restart_within=5.0, idle_within=2.0)


def forward(until: Stage) -> FakeHost:
    host = FakeHost(limits=QUICK)
    host.serve_first(OLD)
    host.sick.add(NEW.version)
    host.place.under_way = 1 if until is Stage.WAIT_IDLE else 0
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2, previous=OLD))
    while host.runner.journal.attempt is None or host.runner.journal.attempt.stage is not until:
        host.turn()
    return host


@pytest.mark.parametrize("stage", [Stage.WAIT_IDLE, Stage.WARM_UP])
def test_it_goes_back_and_stays_out(stage: Stage) -> None:
    host = forward(stage)
    host.runner.offer(assignment(host.clock, Goal.OUT, OLD, generation=3))
    lets_in, since = [], host.clock.now()
    for _ in range(500):
        host.turn()
        lets_in.append(host.place.gets_requests)
        if host.runner.journal.attempt is None and host.runner.journal.outcome is not Outcome.WORKING:
            break
    assert not any(lets_in)
    assert host.clock.now() - since < IDLE, "it does not wait for its next look at a host at rest"
    assert (host.runner.journal.outcome, host.running) == (Outcome.DONE, OLD.id)


def test_it_is_let_in_where_that_is_what_it_was_told() -> None:
    host = forward(Stage.WARM_UP)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=3))
    assert host.settle(within=60.0).outcome is Outcome.DONE
    assert host.serves == OLD.id


def test_an_agent_that_was_dead_meanwhile_keeps_it_out_as_well() -> None:
    host = forward(Stage.WARM_UP)
    host.clock.sleep(100.0)
    host.agent()
    host.runner.offer(assignment(host.clock, Goal.OUT, OLD, generation=3))
    ways = set()
    while host.runner.journal.attempt is not None or host.runner.journal.outcome is Outcome.WORKING:
        host.turn()
        assert not host.place.gets_requests
        ways |= {host.runner.journal.attempt.way} if host.runner.journal.attempt else set()
    assert {Way.BACK, Way.LEAVE} <= ways
