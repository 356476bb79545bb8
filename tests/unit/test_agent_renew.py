"""A restart that is asked for on the release that is live: once, with the same care as a release, whatever dies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from noonday_agent.core.journal import Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.core.ways import STAGES
from noonday_agent.journal_file import JournalFile
from noonday_shared.errors import BadInput
from noonday_shared.messages import Assignment, Goal, Outcome, Phase
from noonday_shared.release.manifest import HookFiles
from support.fake_host import Died, FakeHost, assignment, ref

OLD, NEW = ref("1.0.0", "a"), ref("1.1.0", "b")
QUICK = Limits(healthy_within=5.0, return_within=5.0, restart_within=5.0, idle_within=2.0)


def serving_old(limits: Limits = QUICK) -> FakeHost:
    """It serves 1.0.0, which has hooks, and has 1.1.0 prepared."""
    host = FakeHost(limits=limits)
    host.releases.hooks[OLD.version] = HookFiles(pre_activate="pre", post_activate="post", post_return="back")
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=1))
    host.settle()
    host.runner.offer(assignment(host.clock, Goal.PREPARED, NEW, generation=2, previous=OLD))
    host.settle()
    assert host.serves == OLD.id
    host.history.clear()
    host.hooks_run.clear()
    host.restarted_into.clear()
    return host


def ask(host: FakeHost, generation: int = 3, restart_for: str = "r1", term: int = 1) -> None:
    host.runner.offer(
        assignment(host.clock, Goal.SERVING, OLD, generation=generation, restart_for=restart_for, term=term)
    )


def at_stage(host: FakeHost, stage: Stage) -> bool:
    attempt = host.runner.journal.attempt
    return attempt is not None and (attempt.way, attempt.stage) == (Way.RENEW, stage)


def test_the_app_leaves_the_load_balancer_restarts_on_its_own_release_and_returns() -> None:
    host = serving_old()
    ask(host)
    journal = host.settle()
    assert (journal.outcome, journal.proven, journal.phase, host.serves) == (Outcome.DONE, OLD, Phase.SETTLED, OLD.id)
    assert host.restarted_into == [OLD.id]
    assert list(journal.timings) == [str(stage) for stage in STAGES[Way.RENEW]]
    assert journal.seconds_out > 0
    assert host.hooks_run == []


def test_without_being_asked_to_restart_a_host_that_serves_the_release_does_nothing() -> None:
    host = serving_old()
    ask(host, restart_for="")
    assert host.settle().outcome is Outcome.DONE
    assert (host.restarted_into, host.history.count(str(Phase.DRAINING))) == ([], 0)


def test_the_same_rollout_asks_once_and_the_next_one_once_more() -> None:
    host = serving_old()
    ask(host)
    host.settle()
    ask(host)
    ask(host, term=2)
    host.settle()
    ask(host, generation=4, term=2)
    host.settle()
    assert host.restarted_into == [OLD.id]
    ask(host, generation=5, term=2, restart_for="r2")
    host.settle()
    assert host.restarted_into == [OLD.id, OLD.id]


def test_a_message_that_asks_for_the_restart_under_a_number_that_did_not_is_refused() -> None:
    host = serving_old()
    ask(host, restart_for="")
    host.clock.sleep(1.0)
    with pytest.raises(BadInput, match="differs"):
        ask(host)


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("stage", STAGES[Way.RENEW])
def test_an_agent_that_is_killed_on_the_way_goes_on_and_restarts_once(stage: Stage, *, late: bool) -> None:
    host = serving_old()
    restarts = host.process.restarts
    ask(host)
    host.steps.die_at(stage, after=late)
    with pytest.raises(Died):
        host.settle()
    host.agent()
    journal = host.settle()
    assert (journal.outcome, host.serves, journal.restarted_for) == (Outcome.DONE, OLD.id, "r1")
    assert host.process.restarts == restarts + 1


def test_what_the_rollout_prepared_is_not_pruned_by_the_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    host = serving_old()
    pruned: list[set[str]] = []
    monkeypatch.setattr(host.releases, "prune", pruned.append)
    ask(host)
    host.settle()
    assert pruned == []


def test_a_release_that_does_not_come_up_again_is_told_and_returns_by_itself_once_it_is_well() -> None:
    host = serving_old()
    host.sick.add(OLD.version)
    ask(host)
    journal = host.settle(within=60.0)
    assert (journal.outcome, host.serves) == (Outcome.FAILED, "")
    assert journal.trouble is not None
    assert "503" in journal.trouble.text
    host.sick.clear()
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == OLD.id


def test_a_load_balancer_that_would_not_let_it_go_leaves_it_in_service_and_unrestarted() -> None:
    host = serving_old(Limits(idle_within=2.0, on_busy="give-up"))
    host.place.under_way = 1
    ask(host)
    journal = host.settle()
    assert (journal.outcome, host.serves, host.restarted_into) == (Outcome.FAILED, OLD.id, [])
    assert journal.trouble is not None
    assert "Requests are still under way" in journal.trouble.text


def test_a_rollout_that_ends_meanwhile_lets_it_come_to_its_end() -> None:
    host = serving_old()
    ask(host)
    host.turn_until(lambda: at_stage(host, Stage.RESTART))
    host.runner.offer(assignment(host.clock, Goal.SERVING, OLD, generation=4))
    journal = host.settle()
    assert (journal.outcome, host.serves, host.restarted_into) == (Outcome.DONE, OLD.id, [OLD.id])


@pytest.mark.parametrize("stage", [Stage.WAIT_IDLE, Stage.RESTART, Stage.PROVE, Stage.WARM_UP, Stage.CONFIRM])
def test_a_new_release_that_is_asked_for_meanwhile_is_taken(stage: Stage) -> None:
    host = serving_old()
    ask(host)
    host.turn_until(lambda: at_stage(host, stage))
    host.runner.offer(assignment(host.clock, Goal.SERVING, NEW, generation=4, previous=OLD))
    assert host.settle().outcome is Outcome.DONE
    assert host.serves == NEW.id


def test_a_message_and_a_journal_of_before_ask_for_no_restart(tmp_path: Path) -> None:
    host = serving_old()
    told = assignment(host.clock, Goal.SERVING, OLD, generation=3).model_dump(mode="json", exclude={"restart_for"})
    assert Assignment.model_validate(told).restart_for == ""
    file = JournalFile(tmp_path / "web.json", "web")
    file.save(host.runner.journal)
    kept = json.loads((tmp_path / "web.json").read_text())
    del kept["restarted_for"]
    (tmp_path / "web.json").write_text(json.dumps(kept))
    assert file.load() == host.runner.journal
