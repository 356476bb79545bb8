"""Whoever is out of the load balancer is out for a reason that is told once, and comes back when it is gone."""

from __future__ import annotations

from noonday_agent.core.journal import Way
from noonday_agent.core.limits import Limits
from noonday_agent.monitor import Seen
from noonday_agent.reporter import app_snapshot
from noonday_shared.messages import AppSnapshot, Goal, Outcome
from support.fake_host import FakeHost, assignment, ref

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")
QUICK = Limits(healthy_within=5.0, return_within=5.0, restart_within=5.0, idle_within=2.0)


def serving_old() -> FakeHost:
    host = FakeHost(limits=QUICK)
    host.serve_first(OLD)
    return host


def shown(host: FakeHost, seen: Seen | None = None) -> AppSnapshot:
    seen = seen or Seen(healthy=True, in_service=host.place.gets_requests, balancers={"haproxy": "DRAIN"})
    return app_snapshot(host.runner.journal, seen, host.releases.live(), host.releases.prepared())


def stranded_on_the_way_home() -> FakeHost:
    """1.1.0 is sick, and the process manager only says that it restarts: neither way leads to 1.0.0."""
    host = serving_old()
    host.sick.add(NEW.version)
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2, previous=OLD))
    while host.running != NEW.id:
        host.turn()
    host.process.keeps_old = True
    host.settle(within=60.0)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=3))
    host.settle(within=60.0)
    assert (host.serves, host.runner.journal.outcome) == ("", Outcome.FAILED)
    return host


def test_a_host_that_can_not_come_home_returns_by_itself_once_a_person_started_the_app_again() -> None:
    host = stranded_on_the_way_home()
    host.process.keeps_old = False
    host.process.restart(1.0)
    assert host.settle(within=60.0).outcome is Outcome.DONE
    assert host.serves == OLD.id


def test_a_host_that_waits_for_its_app_says_so_once_and_not_at_every_look() -> None:
    host = stranded_on_the_way_home()
    told = set()
    for _ in range(50):
        host.turn()
        attempt = host.runner.journal.attempt
        assert attempt is not None
        assert attempt.way is Way.STRANDED
        told.add(shown(host).model_dump_json())
    assert len(told) == 1


def test_a_well_app_that_somebody_else_holds_out_says_what_to_do_about_it() -> None:
    host = serving_old()
    host.place.let_in = False
    trouble = shown(host).trouble
    assert trouble is not None
    assert (trouble.rule, "noonday drain web-1" in trouble.next_action) == ("held-out", True)


def test_a_host_that_an_operator_drained_needs_no_such_reason() -> None:
    host = serving_old()
    host.runner.offer(assignment(host.clock, Goal.OUT, OLD, generation=2))
    host.settle()
    assert shown(host).trouble is None


def test_an_app_that_is_not_well_is_not_said_to_be_held_out() -> None:
    assert shown(serving_old(), Seen(healthy=False, in_service=False)).trouble is None


def test_a_host_whose_agent_lost_its_memory_while_the_app_was_ill_returns_when_it_is_well() -> None:
    host = serving_old()
    host.file.kept = type(host.file.kept)("web")
    host.agent()
    host.sick.add(OLD.version)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=2))
    host.settle(within=60.0)
    assert (host.serves, host.runner.journal.outcome) == ("", Outcome.FAILED)
    host.sick.clear()
    host.settle(within=60.0)
    assert (host.serves, host.runner.journal.outcome) == (OLD.id, Outcome.DONE)
