"""The agent's runner, steps and core on a host that does not exist: every failure ends safe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from noonday_agent.core.journal import HOOKS, Stage, Way
from noonday_agent.core.limits import Limits
from noonday_shared.errors import BadInput
from noonday_shared.messages import Goal, Outcome, Phase
from noonday_shared.release.manifest import HookFiles
from support.fake_host import Died, FakeHost, assignment, ref

OLD, NEW, OTHER = ref("1.0.0", "a"), ref("1.1.0", "b"), ref("1.2.0", "c")
ALL_HOOKS = HookFiles(pre_activate="pre", post_activate="post", post_return="back")


def serving_old(limits: Limits | None = None) -> FakeHost:
    """A host that serves 1.0.0, brought there by the agent itself, with 1.1.0 prepared."""
    host = FakeHost(limits=limits)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    host.settle()
    host.runner.offer(assignment(host.clock, Goal.PREPARED, NEW, generation=2, previous=OLD))
    host.settle()
    assert host.serves == OLD.id
    host.history.clear()
    return host


def offer_new(host: FakeHost, generation: int = 3) -> None:
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=generation, previous=OLD))


def test_a_first_release_is_prepared_started_and_put_in_service() -> None:
    host = FakeHost()
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    journal = host.settle()
    assert (journal.outcome, host.serves, host.process.restarts) == (Outcome.DONE, OLD.id, 1)


def test_a_release_goes_through_every_stage_and_restarts_once() -> None:
    host = serving_old()
    restarts = host.process.restarts
    offer_new(host)
    journal = host.settle()
    assert (journal.outcome, journal.proven, host.serves) == (Outcome.DONE, NEW, NEW.id)
    assert host.process.restarts == restarts + 1
    assert list(journal.timings) == [str(stage) for stage in Stage if stage is not Stage.PREPARE]
    assert journal.seconds_out > 0


def test_preparing_leaves_the_load_balancer_alone() -> None:
    host = serving_old()
    host.runner.offer(assignment(host.clock, Goal.PREPARED, OTHER, generation=3))
    journal = host.settle()
    assert journal.outcome is Outcome.DONE
    assert OTHER.id in host.releases.prepared()
    assert str(Phase.DRAINING) not in host.history


def test_a_release_that_can_not_be_prepared_changes_nothing() -> None:
    host = serving_old()
    host.releases.bad["1.2.0"] = "sha256 differs."
    host.runner.offer(assignment(host.clock, Goal.PREPARED, OTHER, generation=3))
    journal = host.settle()
    assert journal.outcome is Outcome.FAILED
    assert journal.trouble is not None
    assert journal.trouble.rule == "digest-mismatch"
    assert host.serves == OLD.id


def test_a_release_that_never_becomes_healthy_is_replaced_by_the_previous_one() -> None:
    host = serving_old(Limits(healthy_within=5.0))
    host.sick.add("1.1.0")
    offer_new(host)
    journal = host.settle()
    assert (journal.outcome, host.serves, journal.proven) == (Outcome.REVERTED, OLD.id, OLD)
    assert journal.trouble is not None
    assert "503" in journal.trouble.text


def test_a_restart_that_leaves_the_old_code_up_never_returns_to_the_load_balancer_as_new() -> None:
    host = serving_old()
    host.liars.add("1.1.0")
    offer_new(host)
    journal = host.settle()
    assert (journal.outcome, host.serves) == (Outcome.REVERTED, OLD.id)
    assert journal.trouble is not None
    assert journal.trouble.rule == "old-code-runs"


def test_a_restart_that_keeps_the_old_process_is_noticed_by_its_pid() -> None:
    host = serving_old()
    host.process.keeps_old = True
    offer_new(host)
    for _ in range(2000):
        host.turn()
        attempt = host.runner.journal.attempt
        if attempt is not None and attempt.way is Way.BACK:
            break
    host.process.keeps_old = False
    journal = host.settle()
    assert (journal.outcome, host.serves) == (Outcome.REVERTED, OLD.id)


def test_an_app_that_can_not_start_goes_back() -> None:
    host = serving_old()
    host.process.starts = False
    offer_new(host)
    while host.runner.journal.attempt is None or host.runner.journal.attempt.way is not Way.BACK:
        host.turn()
    host.process.starts = True
    assert host.settle().outcome is Outcome.REVERTED
    assert host.serves == OLD.id


def test_requests_that_do_not_end_are_waited_for_and_then_left_by_default() -> None:
    host = serving_old(Limits(idle_within=3.0))
    host.place.under_way = 2
    offer_new(host)
    journal = host.settle()
    assert journal.outcome is Outcome.DONE
    assert journal.timings["wait-idle"] >= 3.0


def test_requests_that_do_not_end_put_the_host_back_when_the_policy_says_give_up() -> None:
    host = serving_old(Limits(idle_within=3.0, on_busy="give-up"))
    restarts = host.process.restarts
    host.place.under_way = 2
    offer_new(host)
    journal = host.settle()
    assert (journal.outcome, host.serves, host.process.restarts) == (Outcome.FAILED, OLD.id, restarts)


def test_a_balancer_that_is_gone_before_the_drain_changes_nothing() -> None:
    host = serving_old()
    host.place.reachable = False
    offer_new(host)
    journal = host.settle()
    assert journal.outcome is Outcome.FAILED
    assert host.place.let_in
    assert host.running == OLD.id
    assert not journal.out_by_us


def test_a_current_that_can_not_be_switched_is_noticed_before_the_drain() -> None:
    host = serving_old()
    host.runner.offer(assignment(host.clock, Goal.PREPARED, NEW, generation=3))
    host.settle()
    host.releases.plain_folder = True
    offer_new(host, generation=4)
    journal = host.settle()
    assert journal.outcome is Outcome.FAILED
    assert journal.trouble is not None
    assert journal.trouble.rule == "current-is-a-folder"
    assert set(journal.timings) == {"pre-activate", "drain"}, "nothing came after the look before the drain"
    assert (host.place.let_in, host.running) == (True, OLD.id)


def test_a_balancer_that_is_gone_after_the_switch_is_tried_until_it_is_back() -> None:
    host = serving_old()
    offer_new(host)
    while host.running != NEW.id:
        host.turn()
    host.place.reachable = False
    journal = host.settle(within=400.0)
    assert journal.attempt is not None
    assert journal.attempt.stage is Stage.RETURN
    assert journal.out_by_us
    host.place.reachable = True
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == NEW.id


def test_a_balancer_that_forgets_the_drain_is_told_again() -> None:
    host = serving_old()
    host.place.under_way = 1
    offer_new(host)
    while host.runner.journal.phase is not Phase.DRAINING or host.place.let_in:
        host.turn()
    host.turn()
    host.place.forget()
    host.turn()
    assert not host.place.let_in


def test_a_balancer_that_never_reports_the_server_up_sends_it_back() -> None:
    host = serving_old(Limits(return_within=5.0))
    offer_new(host)
    while host.running != NEW.id:
        host.turn()
    host.place.healthy = False
    while host.running != OLD.id:
        host.turn()
    host.place.healthy = True
    journal = host.settle()
    assert (journal.outcome, host.serves) == (Outcome.REVERTED, OLD.id)


def test_when_neither_release_is_well_the_host_stays_out_says_so_and_returns_by_itself() -> None:
    host = serving_old(Limits(healthy_within=5.0))
    host.sick |= {"1.0.0", "1.1.0"}
    offer_new(host)
    journal = host.settle(within=120.0)
    assert (journal.outcome, journal.phase, host.serves) == (Outcome.FAILED, Phase.OUT, "")
    assert journal.trouble is not None
    assert "stays out" in journal.trouble.text
    host.sick.clear()
    assert host.settle().outcome is Outcome.REVERTED
    assert host.serves == OLD.id


def test_a_bad_first_release_stays_out_because_there_is_nothing_to_go_back_to() -> None:
    host = FakeHost(limits=Limits(healthy_within=5.0))
    host.sick.add("1.0.0")
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    journal = host.settle()
    assert (journal.outcome, host.serves) == (Outcome.FAILED, "")
    host.sick.clear()
    host.settle(within=30.0)
    assert host.serves == ""
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=2))
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == OLD.id


def test_hooks_run_once_each_in_their_order() -> None:
    host = serving_old()
    host.releases.hooks["1.2.0"] = ALL_HOOKS
    host.runner.offer(assignment(host.clock, Goal.SERVING, OTHER, generation=3))
    assert host.settle().outcome is Outcome.DONE
    assert host.hooks_run == ["pre_activate 1.2.0", "post_activate 1.2.0", "post_return 1.2.0"]


@pytest.mark.parametrize(
    ("bad", "outcome"), [("pre", Outcome.FAILED), ("post", Outcome.REVERTED), ("back", Outcome.REVERTED)]
)
def test_a_failing_hook_leaves_the_old_release_in_service(bad: str, outcome: Outcome) -> None:
    host = serving_old()
    host.releases.hooks["1.2.0"] = ALL_HOOKS
    host.bad_hooks.add(bad)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OTHER, generation=3))
    assert host.settle().outcome is outcome
    assert host.serves == OLD.id


def test_an_older_assignment_has_no_effect() -> None:
    host = serving_old()
    offer_new(host)
    host.settle()
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    host.settle()
    assert host.serves == NEW.id


def test_a_coordinator_of_an_older_term_is_refused_in_words() -> None:
    host = serving_old()
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, previous=OLD, term=7))
    host.settle()
    host.clock.sleep(90.0)
    with pytest.raises(BadInput, match="lost its event log"):
        host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=9, term=2))


def test_the_same_assignment_again_restarts_nothing() -> None:
    host = serving_old()
    offer_new(host)
    host.settle()
    restarts = host.process.restarts
    for term in (1, 2, 3):
        host.clock.sleep(1.0)
        host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, previous=OLD, term=term))
        host.settle(within=5.0)
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=4, previous=OLD, term=3))
    assert host.settle().outcome is Outcome.DONE
    assert host.process.restarts == restarts


def test_an_assignment_that_contradicts_its_own_number_is_refused() -> None:
    host = serving_old()
    offer_new(host)
    host.clock.sleep(1.0)
    with pytest.raises(BadInput, match="differs"):
        host.runner.offer(assignment(host.clock, Goal.SERVING, OTHER, generation=3))


def test_an_expired_assignment_and_one_for_another_host_are_refused() -> None:
    host = serving_old()
    late = assignment(host.clock, Goal.SERVING, NEW, generation=3)
    host.clock.sleep(1000.0)
    with pytest.raises(BadInput, match="expired"):
        host.runner.offer(late)
    with pytest.raises(BadInput, match="web-2"):
        host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, host="web-2"))


def test_an_abort_in_the_middle_brings_the_previous_release_back() -> None:
    host = serving_old()
    host.sick.add("1.1.0")
    offer_new(host)
    while host.runner.journal.phase is not Phase.WARMING_UP:
        host.turn()
    host.clock.sleep(1.0)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=4))
    journal = host.settle()
    assert (journal.outcome, host.serves) == (Outcome.DONE, OLD.id)


def test_an_abort_before_the_switch_restarts_nothing() -> None:
    host = serving_old()
    restarts = host.process.restarts
    host.place.under_way = 1
    offer_new(host)
    while host.place.let_in:
        host.turn()
    host.clock.sleep(1.0)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=4))
    journal = host.settle()
    assert (journal.outcome, host.serves, host.process.restarts) == (Outcome.DONE, OLD.id, restarts)


def test_a_drained_host_stays_out_and_comes_back_without_a_restart() -> None:
    host = serving_old()
    restarts = host.process.restarts
    host.runner.offer(assignment(host.clock, Goal.OUT, OLD, generation=3))
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == ""
    host.clock.sleep(1.0)
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=4))
    assert host.settle().outcome is Outcome.DONE
    assert (host.serves, host.process.restarts) == (OLD.id, restarts)


def test_an_operators_own_maintenance_is_left_alone() -> None:
    host = serving_old()
    host.place.maintenance = True
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=3))
    assert host.settle().outcome is Outcome.DONE
    assert host.place.maintenance


def test_an_agent_that_lost_its_journal_adopts_what_runs_without_a_restart() -> None:
    host = serving_old()
    restarts = host.process.restarts
    host.file.kept = replace(host.file.kept, assignment=None, proven=None, outcome=Outcome.NONE)
    host.agent()
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=5))
    journal = host.settle()
    assert (journal.outcome, journal.proven, host.serves) == (Outcome.DONE, OLD, OLD.id)
    assert host.process.restarts == restarts


def test_the_deadline_of_the_assignment_ends_the_attempt() -> None:
    host = serving_old(Limits(healthy_within=500.0))
    host.sick.add("1.1.0")
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=3, deadline=20.0))
    assert host.settle().outcome is Outcome.REVERTED
    assert host.serves == OLD.id


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.PREPARE])
@pytest.mark.parametrize("done", [False, True], ids=["before the effect", "after the effect"])
def test_an_agent_killed_at_any_stage_ends_safe_and_repeats_no_effect(stage: Stage, done: bool) -> None:
    host = serving_old()
    host.releases.hooks["1.1.0"] = ALL_HOOKS
    host.releases.prepare("web", NEW, "", within=1.0, cancelled=lambda: False)
    restarts = host.process.restarts
    offer_new(host)
    host.steps.die_at(stage, after=done)
    with pytest.raises(Died):
        host.settle()
    host.agent()
    journal = host.settle()
    interrupted = stage in HOOKS
    expected = OLD if interrupted else NEW
    assert (host.serves, journal.attempt) == (expected.id, None)
    extra = 0 if stage is Stage.PRE_ACTIVATE else 2 if interrupted else 1
    assert host.process.restarts == restarts + extra
    assert len(host.hooks_run) == len(set(host.hooks_run))
