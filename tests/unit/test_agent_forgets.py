"""An agent or a load balancer that forgot what it was told: nobody leaves for that, and nobody is let in by mistake."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import pytest

from noonday_agent.core.journal import Journal
from noonday_agent.core.limits import Limits
from noonday_agent.runner import IDLE
from noonday_shared.errors import BadInput, Permanent
from noonday_shared.messages import Goal, Outcome
from support.fake_balancer import FakeBalancer, FakePlace
from support.fake_host import FakeHost, assignment, ref
from support.two_balancers import TwoBalancers

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")
QUICK = Limits(healthy_within=5.0, return_within=5.0, restart_within=5.0, idle_within=2.0)


def serving(*releases: str) -> FakeHost:
    host = FakeHost(limits=QUICK)
    for number, version in enumerate(releases or (OLD.version,), 1):
        release = OLD if version == OLD.version else NEW
        host.runner.offer(assignment(host.clock, Goal.SERVING, release, generation=number))
        host.settle()
        assert host.serves == release.id
    return host


def put_back(host: FakeHost, kept: Journal) -> None:
    """Its disk is as it was when it had kept this, and served 1.0.0."""
    host.file.kept = kept
    host.releases.current = host.running = OLD.id
    host.agent()


def test_a_host_that_forgot_what_it_took_up_begins_nothing_when_that_is_said_again() -> None:
    host = serving()
    older = host.file.kept
    told = assignment(host.clock, Goal.SERVING, NEW, generation=2, term=2)
    host.runner.offer(told)
    host.settle()
    put_back(host, older)
    with pytest.raises(BadInput, match="its disk was put back") as refusal:
        host.runner.offer(told.model_copy(update={"term": 3, "taken": True}))
    assert refusal.value.rule == "forgotten"
    host.settle()
    assert (host.serves, host.runner.journal) == (OLD.id, older)
    host.runner.offer(told.model_copy(update={"term": 3}))
    host.settle()
    assert host.serves == NEW.id


def test_one_that_forgot_everything_begins_nothing_either() -> None:
    host = serving()
    put_back(host, Journal("web"))
    with pytest.raises(BadInput, match="knows nothing of it"):
        host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1).model_copy(update={"taken": True}))


def test_one_that_remembers_hears_of_the_new_term() -> None:
    host = serving()
    host.runner.offer(
        assignment(host.clock, Goal.SERVING, OLD, generation=1, term=2).model_copy(update={"taken": True})
    )
    assert host.runner.journal.assignment is not None
    assert (host.runner.journal.assignment.term, host.runner.journal.outcome) == (2, Outcome.DONE)


def test_a_host_that_forgot_that_it_went_out_is_let_in_by_the_next_word_of_a_rollout() -> None:
    host = serving()
    older = host.file.kept
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2))
    while host.running != NEW.id:
        host.turn()
    put_back(host, older)
    back = assignment(host.clock, Goal.SERVING, OLD, generation=3).model_copy(update={"observe": True})
    host.runner.offer(back)
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == OLD.id
    assert host.restarted_into == [OLD.id, NEW.id], "it was well, so it was not restarted again"


def test_a_host_that_forgot_that_an_operator_drained_it_is_let_in_when_he_undrains_it() -> None:
    host = serving()
    older = host.file.kept
    host.runner.offer(assignment(host.clock, Goal.OUT, OLD, generation=2).model_copy(update={"rollout": ""}))
    host.settle()
    put_back(host, older)
    assert host.serves == ""
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=3).model_copy(update={"rollout": ""}))
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == OLD.id


def test_who_was_taken_out_by_somebody_else_stays_out_when_a_rollout_has_ended() -> None:
    host = serving()
    host.place.let_in = False
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=2))
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == ""


def drained() -> FakeHost:
    host = serving()
    host.runner.offer(assignment(host.clock, Goal.OUT, OLD, generation=2))
    host.settle()
    assert not host.place.gets_requests
    return host


def after_a_while(host: FakeHost) -> Journal:
    """It was looked at once more, as all that is at rest."""
    host.clock.sleep(IDLE)
    return host.settle()


@pytest.mark.parametrize("ill", [False, True], ids=["well", "ill"])
def test_a_drained_host_that_its_balancer_lets_in_again_goes_out_again(*, ill: bool) -> None:
    host = drained()
    host.place.forget()
    host.place.healthy = not ill
    after_a_while(host)
    host.place.healthy = True
    assert not host.place.gets_requests
    assert host.runner.journal.outcome is Outcome.DONE


@pytest.mark.parametrize("ill", [False, True], ids=["well", "ill"])
def test_a_release_that_failed_and_is_kept_out_goes_out_again_too_and_keeps_its_reason(*, ill: bool) -> None:
    host = FakeHost(limits=QUICK)
    host.sick.add(OLD.version)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    before = host.settle()
    assert (before.keep_out, before.outcome) == (True, Outcome.FAILED)
    host.place.forget()
    host.place.healthy = not ill
    after = after_a_while(host)
    assert not host.place.let_in
    assert (after.keep_out, after.outcome, after.trouble) == (True, Outcome.FAILED, before.trouble)


def test_a_balancer_that_can_not_be_told_is_not_asked_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    host = drained()
    host.clock.sleep(IDLE)
    host.place.forget()

    def refuse(_: FakeBalancer) -> NoReturn:
        raise Permanent("The command was refused.", rule="balancer-permission", next_action="give it admin rights")

    with monkeypatch.context() as patch:
        patch.setattr(FakeBalancer, "take_out", refuse)
        assert host.runner.turn() == IDLE
    assert host.runner.journal.outcome is Outcome.DONE
    after_a_while(host)
    assert not host.place.let_in


def unproven(host: FakeHost) -> None:
    """`current` may have been moved here, and what runs was not looked at since."""
    host.file.kept = replace(host.file.kept, moved=True)
    host.agent()
    host.process.reachable = False


def test_a_host_that_is_to_stay_is_not_restarted_because_nobody_can_be_asked_what_runs_there() -> None:
    host = serving()
    unproven(host)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=2).model_copy(update={"stay": True}))
    while host.runner.journal.outcome is Outcome.WORKING:
        host.turn()
        assert host.serves == OLD.id, "nobody made room for it to leave"
    assert host.runner.journal.outcome is Outcome.FAILED
    assert host.runner.journal.trouble is not None


def test_one_that_is_told_to_move_is_restarted_once_it_can_be() -> None:
    host = serving()
    unproven(host)
    host.process.reachable = True
    host.running = NEW.id
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=2))
    assert host.settle(within=60.0).outcome is Outcome.DONE
    assert host.restarted_into == [OLD.id, OLD.id]


def test_a_new_host_that_can_not_be_switched_is_not_let_in_with_nothing_that_serves() -> None:
    host = FakeHost(limits=QUICK)
    host.place.let_in = False
    host.process.reachable = False
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    while host.runner.journal.outcome is Outcome.WORKING:
        host.turn()
        assert not host.place.let_in
    assert host.runner.journal.outcome is Outcome.FAILED
    host.process.reachable = True
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=2))
    host.settle()
    assert host.serves == OLD.id


@pytest.mark.parametrize("who", ["place", "second"])
def test_a_drained_host_goes_out_again_when_one_of_its_balancers_forgot(who: str) -> None:
    host = TwoBalancers(limits=QUICK)
    for generation, goal in enumerate((Goal.SERVING, Goal.OUT), 1):
        host.runner.offer(assignment(host.clock, goal, OLD, generation=generation))
        host.settle()
    place: FakePlace = getattr(host, who)
    place.forget()
    after_a_while(host)
    assert (host.place.gets_requests, host.second.gets_requests) == (False, False)
    assert host.runner.journal.outcome is Outcome.DONE


def test_a_balancer_that_forgets_while_requests_end_in_another_is_told_again() -> None:
    host = TwoBalancers(limits=QUICK)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    host.settle()
    host.place.under_way = 1
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2))
    while host.second.gets_requests:
        host.turn()
    host.second.forget()
    for _ in range(3):
        host.turn()
    assert not host.second.gets_requests
    assert host.running == OLD.id, "it was not restarted meanwhile"
    host.place.under_way = 0
    host.settle()
    assert (host.serves, host.second.gets_requests) == (NEW.id, True)


@pytest.mark.parametrize(("dead", "reloaded"), [("place", "second"), ("second", "place")])
def test_of_two_balancers_one_that_forgets_is_told_again_though_the_other_can_not_be_asked(
    dead: str, reloaded: str
) -> None:
    host = TwoBalancers(limits=QUICK)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    host.settle()
    gone: FakePlace = getattr(host, dead)
    forgetful: FakePlace = getattr(host, reloaded)
    gone.under_way = 1
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2))
    while host.place.gets_requests or host.second.gets_requests:
        host.turn()
    gone.reachable = False
    forgetful.forget()
    for _ in range(3):
        host.turn()
    assert not forgetful.gets_requests
    assert host.running == OLD.id, "it was not restarted meanwhile"
    gone.reachable, gone.under_way = True, 0
    host.settle()
    assert (host.serves, forgetful.gets_requests) == (NEW.id, True)


def test_one_that_is_to_stay_on_what_its_disk_no_longer_has_is_not_moved_but_says_so() -> None:
    host = serving(OLD.version, NEW.version)
    older = replace(host.file.kept, proven=OLD)
    put_back(host, older)
    stays = assignment(host.clock, Goal.SERVING, NEW, generation=3).model_copy(update={"stay": True})
    host.runner.offer(stays)
    journal = host.settle()
    assert (host.serves, journal.outcome) == (OLD.id, Outcome.FAILED), "nobody made room for it to leave"
    assert journal.trouble is not None
    assert (journal.trouble.rule, journal.trouble.next_action) == ("put-back", "noonday reconcile web --plan")


def test_one_that_is_out_because_of_us_comes_back_to_what_it_is_to_stay_on() -> None:
    host = serving(OLD.version, NEW.version)
    put_back(host, replace(host.file.kept, proven=OLD, out_by_us=True))
    stays = assignment(host.clock, Goal.SERVING, NEW, generation=3).model_copy(update={"stay": True})
    host.runner.offer(stays)
    assert host.settle(within=60.0).outcome is Outcome.DONE
    assert host.serves == NEW.id
