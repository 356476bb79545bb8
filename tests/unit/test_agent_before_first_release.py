"""A server that an app served before Noonday had a release on it: it is left as it was when that fails."""

from __future__ import annotations

from pydantic import TypeAdapter

from noonday_agent.core.journal import Attempt, Journal
from noonday_agent.core.limits import Limits
from noonday_shared.messages import Assignment, Goal, Outcome
from support.fake_host import FakeHost, assignment, ref

FIRST = ref("1.0.0", "a")
QUICK = Limits(return_within=5.0, idle_within=2.0)


def legacy(limits: Limits = QUICK) -> FakeHost:
    """Its app was started by hand, and its load balancer sends to it."""
    host = FakeHost(limits=limits)
    host.place.let_in = True
    host.running = "by hand"
    return host


def first(host: FakeHost, generation: int = 1, goal: Goal = Goal.SERVING) -> Assignment:
    return assignment(host.clock, goal, FIRST, generation=generation)


def in_the_end(host: FakeHost) -> tuple[str, Outcome, bool]:
    journal = host.settle()
    return host.serves, journal.outcome, journal.out_by_us


def test_it_is_let_back_in_when_the_process_manager_can_not_be_asked_before_the_switch() -> None:
    host = legacy()
    host.process.reachable = False
    host.runner.offer(first(host))
    assert in_the_end(host) == ("by hand", Outcome.FAILED, False)


def test_it_is_let_back_in_when_its_requests_do_not_end_and_the_policy_says_give_up() -> None:
    host = legacy(Limits(return_within=5.0, idle_within=2.0, on_busy="give-up"))
    host.place.under_way = 1
    host.runner.offer(first(host))
    assert in_the_end(host) == ("by hand", Outcome.FAILED, False)


def test_it_is_let_back_in_too_when_the_word_to_serve_came_while_it_prepared() -> None:
    host = legacy()
    host.process.reachable = False
    host.runner.offer(first(host, 1, Goal.PREPARED))
    prepare = host.releases.prepare

    def told_meanwhile(*given: object, **named: object) -> None:
        host.runner.offer(first(host, 2))
        host.releases.prepare = prepare  # type: ignore[method-assign]
        prepare(*given, **named)  # type: ignore[arg-type]

    host.releases.prepare = told_meanwhile  # type: ignore[method-assign]
    assert in_the_end(host) == ("by hand", Outcome.FAILED, False)


def test_one_that_an_operator_drained_stays_out() -> None:
    host = legacy()
    host.runner.offer(assignment(host.clock, Goal.OUT, None, generation=1))
    host.settle()
    host.process.reachable = False
    host.runner.offer(first(host, 2))
    assert in_the_end(host) == ("", Outcome.FAILED, True)


def test_one_whose_current_was_moved_stays_out_since_nothing_from_before_runs() -> None:
    host = legacy(Limits(healthy_within=5.0))
    host.sick.add(FIRST.version)
    host.runner.offer(first(host))
    assert in_the_end(host) == ("", Outcome.FAILED, True)


def test_a_journal_of_an_agent_that_did_not_note_it_is_still_read() -> None:
    host = legacy()
    host.runner.offer(first(host))
    while host.place.let_in:
        host.turn()
    kept = TypeAdapter(Journal)
    written = kept.dump_python(host.file.kept, mode="json")
    del written["attempt"]["was_in"]
    read = kept.validate_python(written)
    assert isinstance(read.attempt, Attempt)
    assert not read.attempt.was_in
