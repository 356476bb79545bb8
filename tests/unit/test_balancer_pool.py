from __future__ import annotations

from dataclasses import dataclass

import pytest

from noonday_agent.balancers.pool import Pool
from noonday_shared.errors import Permanent, Temporary
from support.fake_balancer import BrokenBalancer, FakeBalancer, FakePlace


@dataclass(frozen=True, slots=True)
class MisnamedBalancer(FakeBalancer):
    """Refused by its check, as a server that is not in haproxy.cfg."""

    def check(self) -> None:
        raise Permanent(f"{self.name}: no such server.", rule="balancer-unknown-server", next_action="name it right")


def _two() -> tuple[FakePlace, FakePlace, Pool]:
    one, two = FakePlace(), FakePlace()
    return one, two, Pool([FakeBalancer(one, "one"), FakeBalancer(two, "two")])


def test_an_app_without_balancers_is_in_service_and_idle() -> None:
    empty = Pool()
    empty.take_out()
    empty.put_back()
    empty.check()
    assert (empty.in_service(), empty.idle(), empty.states()) == (True, True, {})


def test_it_is_out_of_all_and_idle_in_all() -> None:
    one, two, pool = _two()
    two.under_way = 1
    pool.take_out()
    assert (one.let_in, two.let_in) == (False, False)
    assert not pool.idle()
    two.under_way = 0
    assert pool.idle()


def test_it_is_in_service_only_when_all_send_requests() -> None:
    _, two, pool = _two()
    assert pool.in_service()
    two.healthy = False
    assert not pool.in_service()


def test_it_gets_requests_as_long_as_one_of_them_sends_any() -> None:
    one, two, pool = _two()
    one.let_in = False
    assert pool.lets_in()
    two.let_in = False
    assert not pool.lets_in()


def test_those_that_send_requests_are_told_to_stop_and_the_others_are_left_alone() -> None:
    one, two, pool = _two()
    one.maintenance = True
    assert pool.hold_out()
    assert (one.let_in, two.let_in) == (True, False)
    assert not pool.hold_out()


def test_one_that_would_send_requests_once_its_check_is_good_is_told_to_stop() -> None:
    one, two, pool = _two()
    one.let_in = two.healthy = False
    assert not pool.lets_in()
    assert pool.hold_out()
    assert not two.let_in


def test_one_that_can_not_be_asked_keeps_no_other_from_being_told_to_stop() -> None:
    one, two, pool = _two()
    one.reachable = False
    assert pool.hold_out()
    assert (one.let_in, two.let_in) == (True, False)
    one.reachable = True
    assert pool.hold_out()
    assert not one.let_in


def test_it_is_out_as_far_as_is_known_when_one_answers_and_none_of_those_lets_it_in() -> None:
    one, two, pool = _two()
    with_third = Pool([*pool.balancers, BrokenBalancer()])
    one.let_in = False
    assert not with_third.out_where_known()
    two.let_in = False
    assert with_third.out_where_known()
    assert not Pool([BrokenBalancer()]).out_where_known()


def test_one_that_forgot_the_order_ends_the_idleness() -> None:
    one, _, pool = _two()
    pool.take_out()
    one.forget()
    assert not pool.idle()


def test_one_that_can_not_be_taken_out_is_named_and_keeps_it_in_no_other() -> None:
    after = FakePlace()
    with pytest.raises(Temporary, match="broken web/web-1"):
        Pool([BrokenBalancer(), FakeBalancer(after)]).take_out()
    assert not after.let_in


def test_one_that_can_not_be_asked_keeps_no_other_from_being_put_back() -> None:
    after = FakePlace(let_in=False)
    with pytest.raises(Temporary, match="broken web/web-1"):
        Pool([BrokenBalancer(), FakeBalancer(after)]).put_back()
    assert after.let_in


def test_states_tell_also_of_the_one_that_can_not_be_asked() -> None:
    states = Pool([FakeBalancer(FakePlace(), "one"), BrokenBalancer("two")]).states()
    assert states == {"one": "UP", "two": "unknown: two: it does not answer."}


def test_a_check_tells_all_problems_at_once_and_the_permanent_one_decides() -> None:
    pool = Pool([BrokenBalancer("one"), FakeBalancer(FakePlace(), "two"), MisnamedBalancer(FakePlace(), "three")])
    assert [type(problem) for problem in pool.problems()] == [Temporary, Permanent]
    with pytest.raises(Permanent, match=r"one: it does not answer\. three: no such server") as caught:
        pool.check()
    assert caught.value.rule == "balancer-unknown-server"
    assert "name it right" in caught.value.next_action


def test_temporary_problems_stay_temporary() -> None:
    with pytest.raises(Temporary, match=r"one: .* two: "):
        Pool([BrokenBalancer("one"), BrokenBalancer("two")]).check()


def test_a_single_problem_is_raised_as_it_is() -> None:
    with pytest.raises(Permanent) as caught:
        Pool([MisnamedBalancer(FakePlace(), "three")]).check()
    assert caught.value.text == "three: no such server."
