"""What each fact changes, and that facts alone make the state."""

from __future__ import annotations

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.core.evolve import evolve, fold
from noonday_coordinator.core.state import HostState, State
from noonday_shared.messages import Goal, Outcome, Phase
from support.story import NEW, OLD, OLDER, OTHER, Story


def record(event: e.Event, at: float = 5.0, by: str = "alice") -> e.Record:
    return e.Record(1, at, by, event)


def test_a_state_is_never_changed_in_place() -> None:
    story = Story()
    before, hosts = story.state, dict(story.state.hosts)
    story.deploy()
    assert before.hosts == hosts
    assert before.app("web").active == ""
    assert story.state.app("web").active == "r2"


def test_facts_about_a_host_that_was_removed_change_nothing() -> None:
    story = Story()
    gone = evolve(story.state, record(e.HostRemoved("web-1")))
    for late in (
        e.HostDrained("web-1"),
        e.HostUndrained("web-1"),
        e.Assigned("web-1", "web", 99, Goal.SERVING, OLD),
        e.HostReported("web-1", "web", e.Report(1, 1, 1, 1, Outcome.DONE, Phase.SETTLED)),
    ):
        assert evolve(gone, record(late)) == gone


def test_the_instant_since_when_a_host_is_not_well_is_that_of_the_first_bad_report() -> None:
    story = Story()
    since = story.now = 2000.0
    story.report("web-1", healthy=False)
    story.now = 2010.0
    story.report("web-1", healthy=False)
    assert story.on("web-1").unhealthy_since == since
    story.report("web-1", healthy=True)
    assert story.on("web-1").unhealthy_since == 0.0


def test_a_drain_remembers_who_asked_for_it() -> None:
    story = Story()
    story.ask(c.DrainHost("web-1"), by="bob")
    assert story.state.hosts["web-1"].drained_by == "bob"


@pytest.mark.parametrize(
    ("end", "verdict", "blocked"),
    [
        (e.End.ROLLED_BACK, "roll back", True),
        (e.End.FAILED, "roll back", True),
        (e.End.FAILED, "", False),
        (e.End.ABORTED, "", False),
        (e.End.DONE, "promote", False),
    ],
)
def test_a_release_is_blocked_by_what_was_held_against_it(end: e.End, verdict: str, blocked: bool) -> None:
    story = Story()
    story.keep(e.RolloutStarted("r2", "web", "deploy", NEW, OLD, story.policy, (story.names,)))
    if verdict:
        story.keep(e.VerdictReached("r2", "promote" if verdict == "promote" else "roll back", "because"))
    story.keep(e.RolloutEnded("r2", end, "because"))
    assert bool(story.state.app("web").releases[NEW.version].blocked) == blocked
    assert story.state.app("web").active == ""


def test_only_what_was_completed_becomes_the_release_of_record() -> None:
    story = Story()
    for number, (release, end) in enumerate(((NEW, e.End.ROLLED_BACK), (OTHER, e.End.DONE)), 2):
        story.keep(e.RolloutStarted(f"r{number}", "web", "deploy", release, OLD, story.policy, (story.names,)))
        story.keep(e.RolloutEnded(f"r{number}", end, "because"))
    app = story.state.app("web")
    assert (app.current, app.previous) == (OTHER, OLD)
    assert [app.releases[one.version].good for one in (NEW, OTHER)] == [False, True]


def test_completing_the_release_of_record_once_more_keeps_the_way_back() -> None:
    story = Story()
    for number, release in enumerate((NEW, NEW), 2):
        story.keep(e.RolloutStarted(f"r{number}", "web", "deploy", release, OLD, story.policy, (story.names,)))
        story.keep(e.RolloutEnded(f"r{number}", e.End.DONE, "because"))
    assert (story.state.app("web").current, story.state.app("web").previous) == (NEW, OLD)


def test_a_pause_is_added_to_the_deadline_and_to_the_stage() -> None:
    story = Story(prepare_within=100)
    story.deploy()
    deadline, since = story.rollout.deadline, story.rollout.stage_since
    story.ask(c.Pause("web"))
    story.now += 40.0
    story.ask(c.Resume("web"))
    assert (story.rollout.deadline, story.rollout.stage_since) == (deadline + 40.0, since + 40.0)


def test_a_new_stage_forgets_the_question_and_the_promotion_of_the_last() -> None:
    story = Story()
    story.deploy()
    story.keep(e.Asked("r2", "Really?", holds=True), e.Promoted("r2"))
    story.keep(e.StageEntered("r2", e.Stage.ROLLING, 1, "on"))
    rollout = story.rollout
    assert (rollout.asked, rollout.held, rollout.promoted, rollout.overruled) == ("", False, False, True)


def test_only_a_question_that_holds_is_overruled_by_a_yes() -> None:
    story = Story()
    story.deploy()
    story.keep(e.Asked("r2", "Few requests. Really?"), e.Promoted("r2"))
    assert not story.rollout.overruled


def test_a_host_that_goes_back_keeps_the_reason_why() -> None:
    story = Story()
    story.deploy()
    story.keep(e.HostJudged("r2", "web-1", HostState.FAILED, "503"), e.HostJudged("r2", "web-1", HostState.GOING_BACK))
    assert story.rollout.hosts["web-1"].reason == "503"


def test_a_fold_of_the_log_in_two_pieces_is_a_fold_of_the_whole() -> None:
    events: list[e.Event] = [
        e.CoordinatorStarted(1),
        e.HostEnrolled("web-1", {"role": "web"}, "key"),
        e.Assigned("web-1", "web", 7, Goal.SERVING, OLDER),
        e.LogsWatched("web", 9.0),
        e.CoordinatorStarted(2),
    ]
    records = [e.Record(number, float(number), "alice", event) for number, event in enumerate(events, 1)]
    assert fold(records[3:], fold(records[:3])) == fold(records)
    assert (fold(records).term, fold(records).generation) == (2, 7)
    assert fold([]) == State()
