"""What was taken out stays out until it may come back, whatever its load balancer forgot and whoever died meanwhile;
and nothing is restarted that is in service."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from noonday_agent.core.hold import MOST
from noonday_agent.core.journal import Attempt, Journal, Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.runner import HOLD_LOOK
from noonday_shared.errors import Temporary
from noonday_shared.messages import Goal, Outcome
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import HookFiles
from support.fake_balancer import FakeBalancer
from support.fake_host import Died, FakeHost, assignment, ref

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")
QUICK = Limits(healthy_within=5.0, return_within=5.0, restart_within=5.0, idle_within=3.0)


def serving_old(limits: Limits = QUICK) -> FakeHost:
    host = FakeHost(limits=limits)
    host.serve_first(OLD)
    return host


def told_new(limits: Limits = QUICK) -> FakeHost:
    host = serving_old(limits)
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=2, previous=OLD))
    return host


def at(host: FakeHost, stage: Stage, way: Way = Way.FORWARD) -> bool:
    attempt = host.runner.journal.attempt
    return attempt is not None and (attempt.way, attempt.stage) == (way, stage)


def _attempt(host: FakeHost) -> Attempt:
    attempt = host.runner.journal.attempt
    assert attempt is not None
    return attempt


def let_in_with_requests(host: FakeHost) -> None:
    host.place.forget()
    host.place.under_way = 1


def killed(host: FakeHost, stage: Stage, *, after: bool) -> None:
    host.steps.die_at(stage, after=after)
    with pytest.raises(Died):
        host.turn_until(lambda: False)


def stranded_before_its_drain() -> FakeHost:
    """On the way back, and its balancer could not be asked for longer than that is waited for."""
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: host.running == NEW.id)
    host.place.reachable = False
    host.turn_until(lambda: at(host, Stage.DRAIN, Way.STRANDED))
    return host


def test_a_stranded_host_that_was_let_in_waits_for_requests_before_its_restart() -> None:
    host = stranded_before_its_drain()
    let_in_with_requests(host)
    host.place.reachable = True
    host.turn_until(lambda: not host.place.let_in)
    for _ in range(2):
        host.turn()
        assert host.running == NEW.id, "requests are under way"
    host.place.under_way = 0
    assert host.settle().outcome is Outcome.REVERTED
    assert host.serves == OLD.id


def test_it_waits_for_them_no_longer_than_any_other() -> None:
    host = stranded_before_its_drain()
    let_in_with_requests(host)
    host.place.reachable = True
    host.turn_until(lambda: not host.place.let_in)
    out_at = host.clock.now()
    host.turn_until(lambda: host.running == OLD.id)
    assert QUICK.idle_within <= host.clock.now() - out_at < QUICK.idle_within + 3.0


@pytest.mark.parametrize("stage", [Stage.PROVE, Stage.WARM_UP])
def test_a_stranded_host_that_its_balancer_lets_in_goes_out_again(stage: Stage) -> None:
    host = told_new()
    host.sick |= {OLD.version, NEW.version}
    host.turn_until(lambda: at(host, Stage.DRAIN, Way.STRANDED))
    if stage is Stage.PROVE:
        host.process.die()  # what does not run can't be proven
    host.turn_until(lambda: at(host, stage, Way.STRANDED))
    restarts = host.process.restarts
    host.place.forget()
    began = host.clock.now()
    host.turn_until(lambda: not host.place.gets_requests)
    assert host.clock.now() - began < HOLD_LOOK + 2.0
    assert (host.process.restarts, at(host, stage, Way.STRANDED)) == (restarts, True)


def test_a_host_that_waits_for_its_process_manager_waits_for_requests_once_more_when_it_was_let_in() -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: host.running == NEW.id)
    host.process.reachable = False
    host.turn_until(lambda: at(host, Stage.SWITCH, Way.STRANDED))
    host.clock.sleep(100.0)
    let_in_with_requests(host)
    host.turn_until(lambda: not host.place.let_in)
    host.process.reachable = True
    host.turn()
    assert host.running == NEW.id, "requests are under way"
    host.place.under_way = 0
    assert host.settle().outcome is Outcome.REVERTED
    assert host.serves == OLD.id


def test_an_app_that_warms_up_and_was_let_in_goes_out_again_and_is_not_restarted_for_that() -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: at(host, Stage.WARM_UP))
    host.clock.sleep(HOLD_LOOK)
    host.place.forget()
    host.turn()
    assert (host.place.let_in, at(host, Stage.WARM_UP)) == (False, True)
    host.sick.clear()
    restarts = host.process.restarts
    assert host.settle().outcome is Outcome.DONE
    assert (host.serves, host.process.restarts) == (NEW.id, restarts)


def test_one_that_is_not_well_when_its_balancer_forgets_is_not_let_in_once_it_is() -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: at(host, Stage.WARM_UP))
    host.clock.sleep(HOLD_LOOK)
    host.place.forget()
    host.place.healthy = False
    host.turn()
    assert (host.place.let_in, at(host, Stage.WARM_UP)) == (False, True)


def test_one_that_is_not_well_when_its_balancer_forgets_does_not_wait_in_vain_to_be_out() -> None:
    host = told_new(replace(QUICK, on_busy="give-up"))
    host.place.under_way = 1
    host.turn_until(lambda: at(host, Stage.WAIT_IDLE))
    host.place.forget()
    host.place.healthy, host.place.under_way = False, 0
    host.turn_until(lambda: at(host, Stage.SWITCH))
    host.place.healthy = True
    assert host.settle().outcome is Outcome.DONE


def test_a_balancer_that_can_not_be_asked_holds_no_warm_up_up() -> None:
    host = told_new()
    host.turn_until(lambda: at(host, Stage.WARM_UP))
    host.clock.sleep(HOLD_LOOK)
    host.place.reachable = False
    host.turn_until(lambda: at(host, Stage.RETURN))
    host.place.reachable = True
    assert host.settle().outcome is Outcome.DONE


def test_a_host_that_was_let_in_while_it_fetches_goes_out_again_by_the_thread_at_work_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = told_new()
    host.sick |= {OLD.version, NEW.version}
    host.turn_until(lambda: at(host, Stage.WARM_UP, Way.STRANDED))
    prepare = host.releases.prepare

    def slowly(app: str, release: ReleaseRef, source: str, *, within: float, cancelled: Callable[[], bool]) -> None:
        host.place.forget()
        host.clock.sleep(HOLD_LOOK)
        with ThreadPoolExecutor(1) as watching:
            assert not watching.submit(cancelled).result(5)
        assert host.place.let_in, "what another thread says could come when the step is over"
        assert not cancelled()
        assert not host.place.let_in
        prepare(app, release, source, within=within, cancelled=cancelled)

    monkeypatch.setattr(host.releases, "prepare", slowly)
    other = ref("1.2.0", "c")
    host.runner.offer(assignment(host.clock, Goal.PREPARED, other, generation=3, previous=OLD))
    host.turn_until(lambda: other.id in host.releases.prepared())


@pytest.mark.parametrize("stage", [Stage.SWITCH, Stage.RESTART])
@pytest.mark.parametrize("begun", [False, True], ids=["before it began", "in its middle"])
def test_an_agent_that_comes_back_before_the_restart_looks_again_whether_nobody_is_sent(
    stage: Stage, *, begun: bool
) -> None:
    host = told_new()
    host.turn_until(lambda: at(host, stage))
    if begun:
        killed(host, stage, after=False)
    let_in_with_requests(host)
    host.agent()
    restarts = host.process.restarts
    host.turn_until(lambda: not host.place.let_in)
    host.turn()
    assert (host.place.let_in, host.process.restarts) == (False, restarts), "requests are under way"
    host.place.under_way = 0
    assert host.settle().outcome is Outcome.DONE
    assert (host.serves, host.process.restarts) == (NEW.id, restarts + 1)


def test_one_that_can_not_ask_its_balancer_when_it_comes_back_restarts_nothing_before_it_can() -> None:
    host = told_new()
    host.turn_until(lambda: at(host, Stage.SWITCH))
    let_in_with_requests(host)
    host.place.reachable = False
    host.agent()
    host.settle(within=60.0)
    assert host.running == OLD.id
    host.place.reachable, host.place.under_way = True, 0
    host.settle()
    assert host.serves == OLD.id


def test_one_whose_disk_lost_its_last_lines_does_not_restart_what_is_in_service_by_now() -> None:
    host = told_new()
    host.turn_until(lambda: at(host, Stage.SWITCH))
    older = host.file.kept
    host.process.reachable = False
    assert host.settle().outcome is Outcome.FAILED
    assert host.serves == OLD.id
    host.file.kept = older
    host.process.reachable, host.place.under_way = True, 1
    host.agent()
    host.turn_until(lambda: not host.place.let_in)
    assert host.running == OLD.id
    host.place.under_way = 0
    assert host.settle().outcome is Outcome.DONE


def test_what_was_restarted_before_the_agent_died_is_not_restarted_again_though_nobody_can_be_asked_at_first() -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: at(host, Stage.RESTART, Way.BACK))
    killed(host, Stage.RESTART, after=True)
    restarts = host.process.restarts
    host.process.reachable = False
    host.agent()
    for _ in range(20):
        host.turn()
    host.process.reachable = True
    assert host.settle().outcome is Outcome.REVERTED
    assert (host.serves, host.process.restarts) == (OLD.id, restarts)


@pytest.mark.parametrize("ordered", [False, True])
def test_nor_when_its_balancer_can_not_be_asked_for_longer_than_that_is_waited_for(*, ordered: bool) -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: at(host, Stage.RESTART, Way.BACK))
    restarts = host.process.restarts
    killed(host, Stage.RESTART, after=ordered)
    host.place.reachable = False
    host.agent()
    host.turn_until(lambda: at(host, Stage.DRAIN, Way.STRANDED))
    host.place.reachable = True
    assert host.settle().outcome is Outcome.REVERTED
    assert (host.serves, host.process.restarts) == (OLD.id, restarts + 1)


def test_a_way_forward_that_turns_back_after_its_agent_died_in_the_restart_restarts_on_the_way_back() -> None:
    host = told_new()
    host.turn_until(lambda: at(host, Stage.RESTART))
    killed(host, Stage.RESTART, after=True)
    host.place.reachable = False
    host.agent()
    host.turn_until(lambda: at(host, Stage.DRAIN, Way.BACK))
    host.place.reachable = True
    assert host.settle().outcome is Outcome.REVERTED
    assert host.serves == OLD.id


def test_an_agent_that_died_just_after_it_told_the_balancer_brings_the_host_back_once_that_can_be_asked() -> None:
    host = told_new()
    host.turn_until(lambda: at(host, Stage.DRAIN))
    killed(host, Stage.DRAIN, after=True)
    assert not host.place.let_in
    host.place.reachable = False
    host.agent()
    host.settle(within=60.0)
    host.place.reachable = True
    host.settle()
    assert host.serves in (OLD.id, NEW.id)


def test_an_operators_drain_goes_on_when_the_agent_died_in_it() -> None:
    host = serving_old()
    host.place.under_way = 1
    host.runner.offer(assignment(host.clock, Goal.OUT, OLD, generation=2))
    host.turn_until(lambda: at(host, Stage.WAIT_IDLE, Way.LEAVE))
    host.place.forget()
    host.agent()
    host.turn_until(lambda: not host.place.let_in)
    host.place.under_way = 0
    assert host.settle().outcome is Outcome.DONE
    assert not host.place.let_in


def test_a_balancer_that_never_obeys_keeps_no_host_between_two_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: host.running == NEW.id)
    host.process.reachable = False
    host.turn_until(lambda: at(host, Stage.SWITCH, Way.BACK))
    monkeypatch.setattr(FakeBalancer, "take_out", lambda _self: None)
    host.place.forget()
    began = host.clock.now()
    host.turn_until(lambda: at(host, Stage.DRAIN, Way.STRANDED))
    bound = (MOST + 1) * (QUICK.idle_within + QUICK.of(Stage.SWITCH))
    assert host.clock.now() - began < bound
    assert host.runner.journal.outcome is Outcome.FAILED


def slow_to_answer(host: FakeHost, patch: pytest.MonkeyPatch) -> None:
    """Its process manager, so that each time before the restart the load balancers are due for a look."""
    pid = host.process.pid

    def slowly() -> int | None:
        host.clock.sleep(HOLD_LOOK + 0.5)
        return pid()

    patch.setattr(host.process, "pid", slowly)


def test_a_balancer_that_never_obeys_keeps_no_stranded_host_from_its_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    host = stranded_before_its_drain()
    host.place.reachable = True
    host.place.forget()
    monkeypatch.setattr(FakeBalancer, "take_out", lambda _self: None)
    slow_to_answer(host, monkeypatch)
    began = host.clock.now()
    host.turn_until(lambda: host.running == OLD.id)
    assert host.clock.now() - began < (MOST + 2) * (QUICK.idle_within + 2 * HOLD_LOOK)


def test_one_that_obeys_is_told_again_however_often_it_forgets_before_that_restart() -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: host.running == NEW.id)
    host.process.reachable = False
    host.turn_until(lambda: at(host, Stage.SWITCH, Way.STRANDED))
    for _ in range(2 * MOST):
        host.clock.sleep(HOLD_LOOK)
        let_in_with_requests(host)
        host.turn_until(lambda: not host.place.let_in)
        assert at(host, Stage.WAIT_IDLE, Way.STRANDED)
        host.place.under_way = 0
        host.turn_until(lambda: at(host, Stage.SWITCH, Way.STRANDED))


def test_the_way_back_waits_for_requests_also_where_the_way_forward_has_waited_its_fill() -> None:
    host = told_new()
    host.sick.add(NEW.version)
    host.turn_until(lambda: at(host, Stage.SWITCH))
    host.file.kept = replace(host.file.kept, attempt=replace(_attempt(host), let_in=MOST))
    host.agent()
    host.turn_until(lambda: host.running == NEW.id)
    host.process.reachable = False
    host.turn_until(lambda: at(host, Stage.SWITCH, Way.BACK))
    host.clock.sleep(HOLD_LOOK)
    let_in_with_requests(host)
    host.turn_until(lambda: not host.place.let_in)
    host.process.reachable = True
    for _ in range(5):
        host.turn()
        assert host.running == NEW.id, "requests are under way"


def test_a_hook_that_runs_while_the_app_is_held_out_does_not_keep_it_from_being_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = told_new()
    host.releases.hooks[NEW.version] = HookFiles(post_activate="post")
    host.turn_until(lambda: at(host, Stage.POST_ACTIVATE))
    host.clock.sleep(HOLD_LOOK)
    host.place.forget()

    def can_not(_self: FakeBalancer) -> None:
        raise Temporary("It is not told now.", next_action="wait")

    with monkeypatch.context() as patch:
        patch.setattr(FakeBalancer, "take_out", can_not)
        host.turn()
    assert host.hooks_run == ["post_activate 1.1.0"]
    assert host.settle().outcome is Outcome.DONE


def test_a_journal_of_an_agent_that_did_not_note_these_is_still_read() -> None:
    host = told_new()
    host.turn_until(lambda: at(host, Stage.WARM_UP))
    kept = TypeAdapter(Journal)
    written = kept.dump_python(host.file.kept, mode="json")
    for name in ("perhaps_restarted", "let_in", "told"):
        del written["attempt"][name]
    attempt = kept.validate_python(written).attempt
    assert attempt is not None
    assert replace(attempt, told=True) == host.file.kept.attempt
