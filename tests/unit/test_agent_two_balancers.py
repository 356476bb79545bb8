"""One load balancer can not be asked: what the other is told, and what a host does meanwhile."""

from __future__ import annotations

import pytest

from noonday_agent.core.journal import Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.runner import IDLE
from noonday_shared.messages import Goal, Outcome
from support.fake_balancer import FakeBalancer
from support.fake_host import Died, assignment, ref
from support.two_balancers import TwoBalancers

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")
QUICK = Limits(healthy_within=5.0, return_within=5.0, restart_within=5.0, idle_within=3.0)


def serving_old() -> TwoBalancers:
    host = TwoBalancers(limits=QUICK)
    host.serve_first(OLD)
    assert host.second.gets_requests
    return host


def told_new() -> TwoBalancers:
    host = serving_old()
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2, previous=OLD))
    return host


def test_a_release_that_failed_goes_out_of_a_balancer_that_forgot_though_the_one_before_it_can_not_be_asked() -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: host.at(Stage.WARM_UP))
    host.place.reachable = False
    host.turn_until(lambda: host.at(Stage.DRAIN, Way.BACK))
    host.second.forget()
    host.turn_until(lambda: not host.second.gets_requests)
    assert host.at(Stage.DRAIN, Way.BACK)


@pytest.mark.parametrize("ordered", [False, True], ids=["before the restart", "after it"])
def test_an_agent_that_comes_back_in_mid_step_goes_on_though_one_balancer_can_not_be_asked(*, ordered: bool) -> None:
    host = told_new()
    host.steps.die_at(Stage.RESTART, after=ordered)
    with pytest.raises(Died):
        host.turn_until(lambda: False)
    restarts = host.process.restarts
    host.second.reachable = False
    host.agent()
    host.turn_until(lambda: host.serves == NEW.id)
    assert host.process.restarts == restarts + (0 if ordered else 1)
    host.second.reachable = True
    assert host.settle().outcome is Outcome.DONE
    assert host.second.gets_requests


def test_it_restarts_nothing_as_long_as_the_one_that_answers_lets_it_in(monkeypatch: pytest.MonkeyPatch) -> None:
    host = told_new()
    host.turn_until(lambda: host.at(Stage.SWITCH))
    host.second.reachable = False
    host.place.forget()
    host.agent()
    with monkeypatch.context() as patch:
        patch.setattr(FakeBalancer, "take_out", lambda self: self._asked() and None)
        host.settle(within=60.0)
    assert host.running == OLD.id


def test_nor_where_the_one_that_can_not_be_asked_was_perhaps_never_told() -> None:
    host = told_new()
    host.turn_until(lambda: host.at(Stage.DRAIN))
    host.second.reachable = False
    host.agent()
    host.settle(within=120.0)
    assert (host.running, host.process.restarts) == (OLD.id, 1)


def test_nor_where_it_was_told_to_let_the_app_in_again() -> None:
    host = told_new()
    host.turn_until(lambda: host.at(Stage.CONFIRM))
    restarts = host.process.restarts
    host.second.reachable = False
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=3, previous=OLD))
    host.settle(within=120.0)
    assert (host.process.restarts, host.second.let_in) == (restarts, True)


def test_one_that_failed_goes_back_though_one_balancer_can_not_be_asked() -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: host.at(Stage.WARM_UP))
    host.place.reachable = False
    host.turn_until(lambda: host.running == OLD.id and host.second.gets_requests)
    host.place.reachable = True
    assert host.settle().outcome is Outcome.REVERTED


GONE_AND_RELOADED = pytest.mark.parametrize(("gone", "reloaded"), [("place", "second"), ("second", "place")])


@GONE_AND_RELOADED
def test_a_drained_host_goes_out_again_of_the_one_that_forgot_though_the_other_can_not_be_asked(
    gone: str, reloaded: str
) -> None:
    host = serving_old()
    host.runner.offer(assignment(host.clock, Goal.OUT, OLD, generation=2))
    host.settle()
    getattr(host, gone).reachable = False
    getattr(host, reloaded).forget()
    host.clock.sleep(IDLE)
    host.turn()
    assert not getattr(host, reloaded).gets_requests
    assert host.settle().outcome is Outcome.DONE
    host.clock.sleep(100.0)
    host.turn()
    assert host.runner.journal.attempt is None, "there is nothing more to do"


def drained_with_one_away(gone: str) -> TwoBalancers:
    host = serving_old()
    host.runner.offer(assignment(host.clock, Goal.OUT, OLD, generation=2))
    host.steps.die_at(Stage.DRAIN, after=False)
    with pytest.raises(Died):
        host.turn_until(lambda: False)
    getattr(host, gone).reachable = False
    host.agent()
    failed = host.settle(within=120.0)
    assert (failed.outcome, failed.out_by_us) == (Outcome.FAILED, True)
    assert failed.trouble is not None
    assert failed.trouble.step == Stage.DRAIN
    return host


ONE_AWAY = pytest.mark.parametrize("gone", ["place", "second"])


@ONE_AWAY
def test_a_drain_that_failed_since_one_balancer_was_away_is_done_once_that_one_is_back_and_was_told(gone: str) -> None:
    host = drained_with_one_away(gone)
    getattr(host, gone).reachable = True
    host.turn_until(lambda: host.runner.journal.outcome is Outcome.DONE)
    assert not host.place.gets_requests
    assert not host.second.gets_requests
    assert (host.runner.journal.trouble, host.runner.journal.out_by_us) == (None, True)


@ONE_AWAY
def test_it_stays_failed_and_says_why_for_as_long_as_that_one_is_away(gone: str) -> None:
    host = drained_with_one_away(gone)
    before = host.runner.journal
    for _ in range(10):
        host.clock.sleep(IDLE)
        host.turn()
        assert host.runner.journal == before


def test_that_it_failed_before_is_said_until_it_is_done() -> None:
    host = drained_with_one_away("second")
    before = host.runner.journal
    host.second.reachable = True
    host.turn_until(lambda: host.at(Stage.WAIT_IDLE, Way.LEAVE))
    assert (host.runner.journal.outcome, host.runner.journal.trouble) == (Outcome.FAILED, before.trouble)


def test_one_that_was_drained_in_vain_and_undrained_is_let_in_again() -> None:
    host = drained_with_one_away("second")
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=3))
    host.second.reachable = True
    assert host.settle(within=120.0).outcome is Outcome.DONE
    assert host.place.gets_requests
    assert host.second.gets_requests


@GONE_AND_RELOADED
def test_so_does_a_host_that_is_kept_out_with_a_first_release_that_failed(gone: str, reloaded: str) -> None:
    host = TwoBalancers(limits=QUICK)
    host.sick.add(OLD.version)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    before = host.settle()
    assert before.keep_out
    getattr(host, gone).reachable = False
    getattr(host, reloaded).forget()
    host.clock.sleep(IDLE)
    host.turn()
    assert not getattr(host, reloaded).gets_requests
    after = host.settle()
    assert (after.keep_out, after.outcome, after.trouble) == (True, Outcome.FAILED, before.trouble)
