"""The way back of the real runner when the world hinders it: the host still ends where its owner wants it."""

from __future__ import annotations

import pytest

from noonday_agent.core.journal import Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.runner import STRANDED_LOOK
from noonday_shared.messages import Goal, Outcome, Phase
from noonday_shared.release.manifest import HookFiles
from support.fake_host import Died, FakeHost, assignment, ref

OLD, NEW, OTHER = ref("1.0.0", "a"), ref("1.1.0", "b"), ref("1.2.0", "c")
QUICK = Limits(healthy_within=5.0, return_within=5.0, restart_within=5.0, idle_within=2.0)


def serving_old(limits: Limits = QUICK) -> FakeHost:
    host = FakeHost(limits=limits)
    host.serve_first(OLD)
    return host


def offer(host: FakeHost, goal: Goal, generation: int) -> None:
    release = OLD if goal is Goal.OUT else NEW
    host.runner.offer(assignment(host.clock, goal, release, generation=generation, previous=OLD))


def on_way(host: FakeHost, way: Way) -> bool:
    return host.runner.journal.attempt is not None and host.runner.journal.attempt.way is way


def at_stage(host: FakeHost, stage: Stage) -> bool:
    return host.runner.journal.attempt is not None and host.runner.journal.attempt.stage is stage


def test_a_process_manager_that_goes_in_the_middle_is_waited_for_and_the_way_back_is_walked_to_its_end() -> None:
    host = serving_old()
    offer(host, Goal.SERVING, 2)
    host.sick.add(NEW.version)
    host.turn_until(lambda: host.running == NEW.id)
    host.process.reachable = False
    restarts = host.process.restarts
    host.turn_until(lambda: on_way(host, Way.STRANDED))
    journal = host.settle(within=60.0)
    assert (journal.outcome, journal.phase, host.serves) == (Outcome.FAILED, Phase.OUT, "")
    host.process.reachable = True
    assert host.settle().outcome is Outcome.REVERTED
    assert (host.serves, host.process.restarts) == (OLD.id, restarts + 1)


@pytest.mark.parametrize("stage", [Stage.SWITCH, Stage.RESTART])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_process_manager_that_is_gone_when_an_agent_comes_back_sends_nobody_to_what_was_switched(
    stage: Stage, *, after: bool
) -> None:
    host = serving_old()
    offer(host, Goal.SERVING, 2)
    host.turn_until(lambda: at_stage(host, stage))
    host.steps.die_at(stage, after=after)
    with pytest.raises(Died):
        host.turn()
    host.process.reachable = False
    host.agent()
    host.turn_until(lambda: on_way(host, Way.BACK))
    switched = (stage, after) != (Stage.SWITCH, False)
    host.settle(within=3.0)
    assert host.serves == ("" if switched else OLD.id)
    host.process.reachable = True
    journal = host.settle()
    assert (host.serves, host.releases.current, journal.out_by_us) == (OLD.id, OLD.id, False)
    assert journal.outcome is (Outcome.REVERTED if switched else Outcome.FAILED)


def test_a_balancer_that_goes_before_the_way_back_is_waited_for() -> None:
    host = serving_old()
    host.releases.hooks[NEW.version] = HookFiles(post_return="back")
    host.bad_hooks.add("back")
    offer(host, Goal.SERVING, 2)
    host.turn_until(lambda: at_stage(host, Stage.POST_RETURN))
    host.place.reachable = False
    host.turn_until(lambda: on_way(host, Way.STRANDED))
    host.place.reachable = True
    assert host.settle().outcome is Outcome.REVERTED
    assert host.serves == OLD.id


def test_an_app_that_is_not_well_when_an_operator_lets_it_back_returns_once_it_is() -> None:
    host = serving_old()
    offer(host, Goal.OUT, 2)
    host.settle()
    host.sick.add(OLD.version)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=3))
    assert host.settle(within=60.0).outcome is Outcome.FAILED
    assert host.serves == ""
    host.sick.clear()
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == OLD.id


def test_a_host_whose_balancer_would_not_have_it_back_after_a_drain_that_failed_returns_later() -> None:
    host = serving_old(Limits(idle_within=2.0, return_within=5.0, on_busy="give-up"))
    host.place.under_way = 1
    offer(host, Goal.SERVING, 2)
    host.turn_until(lambda: not host.place.let_in)
    host.place.healthy = False
    host.settle(within=60.0)
    host.place.healthy, host.place.under_way = True, 0
    host.settle()
    assert host.serves == OLD.id


def test_a_host_that_is_out_with_a_bad_release_goes_home_also_when_a_newer_assignment_could_not_begin() -> None:
    host = serving_old()
    offer(host, Goal.SERVING, 2)
    host.sick.add(NEW.version)
    host.turn_until(lambda: host.running == NEW.id)
    host.place.reachable = False
    host.turn_until(lambda: on_way(host, Way.STRANDED))
    host.runner.offer(assignment(host.clock, Goal.SERVING, OTHER, generation=3, previous=OLD))
    journal = host.settle(within=60.0)
    assert journal.outcome is Outcome.FAILED
    host.place.reachable = True
    host.turn_until(lambda: host.serves == OLD.id)


@pytest.mark.parametrize("stage", [Stage.WARM_UP, Stage.CONFIRM])
def test_a_wait_that_ran_out_while_the_agent_was_dead_is_waited_anew(stage: Stage) -> None:
    host = serving_old()
    offer(host, Goal.SERVING, 2)
    host.turn_until(lambda: at_stage(host, stage))
    host.clock.sleep(100.0)
    host.agent()
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == NEW.id


def test_an_app_that_answers_well_at_its_last_moment_is_not_turned_back() -> None:
    host = serving_old()
    host.sick.add(NEW.version)
    offer(host, Goal.SERVING, 2)
    host.turn_until(lambda: host.runner.journal.phase is Phase.WARMING_UP)
    host.clock.sleep(QUICK.healthy_within - 0.03)
    host.sick.clear()
    assert host.settle().outcome is Outcome.DONE


def test_a_stranded_host_looks_once_a_second_whatever_it_meets() -> None:
    host = serving_old()
    host.sick |= {OLD.version, NEW.version}
    offer(host, Goal.SERVING, 2)
    host.turn_until(lambda: on_way(host, Way.STRANDED))
    host.turn_until(lambda: at_stage(host, Stage.PROVE))
    host.process._known = ()  # as after a change of the process manager's configuration
    saves, began = host.file.saves, host.clock.now()
    while host.clock.now() < began + 60.0:
        host.turn()
    assert host.file.saves - saves <= 3 * 60.0 / STRANDED_LOOK
    assert on_way(host, Way.STRANDED)
