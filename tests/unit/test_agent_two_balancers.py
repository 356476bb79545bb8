"""One load balancer can not be asked: what the other is told, and what a host does meanwhile."""

from __future__ import annotations

from noonday_agent.core.journal import Stage, Way
from noonday_agent.core.limits import Limits
from noonday_shared.messages import Goal
from support.fake_host import assignment, ref
from support.two_balancers import TwoBalancers

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")
QUICK = Limits(healthy_within=5.0, return_within=5.0, restart_within=5.0, idle_within=3.0)


def serving_old() -> TwoBalancers:
    host = TwoBalancers(limits=QUICK)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    host.settle()
    assert (host.serves, host.second.gets_requests) == (OLD.id, True)
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
