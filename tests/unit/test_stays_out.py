"""A host that is out for a second is soon back, one that stays out costs nothing: who may go without room, and when."""

from __future__ import annotations

from typing import Any

from noonday_coordinator.api.waiting import waiting_for
from noonday_coordinator.core import commands as c
from noonday_coordinator.core.state import HostState
from noonday_shared.messages import Outcome, Phase
from support.story import OLD, Story


def crashed(hosts: int = 2, **changes: Any) -> Story:
    """All hosts have the new release, and all their apps crash."""
    story = Story(hosts, canary=hosts, **changes)
    story.deploy()
    story.all_take()
    for name in story.names:
        story.takes(name)
    story.passing(20.0)
    for name in story.names:
        story.report(name, in_service=False, healthy=False)
    story.judge("roll back", "health check failing for 4 s on web-1")
    story.settle()
    return story


def waits_for(story: Story) -> str:
    return waiting_for(story.rollout, story.state, story.view, story.now)


def test_where_nobody_serves_any_more_the_first_goes_back_at_once_and_the_next_once_that_is_there() -> None:
    story = crashed(3, host_within=20)
    assert story.moving() == ["web-3"]
    story.takes("web-3")
    assert story.moving() == ["web-2"]


def test_on_the_way_forward_one_that_was_well_at_the_start_and_is_down_for_a_moment_is_waited_for() -> None:
    story = Story(2, examine=60, on_regression="ask", unreachable_after=20)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.report("web-1", in_service=False, healthy=False)
    story.judge("roll back", "health check failing for 4 s on web-1")
    story.settle()
    story.ask(c.Promote("web"))
    story.passing(100.0)
    story.report("web-2", in_service=False, healthy=None)
    story.settle()
    assert (story.where("web-2"), story.moving()) == (HostState.PREPARED, [])
    story.passing(21.0)
    assert story.moving() == ["web-2"]


def test_on_a_fresh_fleet_a_host_that_never_served_waits_for_nobody() -> None:
    story = Story(6, first=None, max_unavailable=2, unreachable_after=900)
    for name in story.names:
        story.report(name, healthy=False)
    story.deploy()
    for name in story.names:
        story.takes(name, in_service=False)
    story.takes("web-1", healthy=True)
    story.passing(61.0)
    assert story.moving() == ["web-2", "web-3"]


def test_an_app_that_somebody_else_runs_has_served() -> None:
    story = Story(2, canary=2)
    story.report("web-1", in_service=False)
    story.report("web-2", in_service=False, live="", proven=None, healthy=True)
    story.deploy()
    for name in story.names:
        story.takes(name, in_service=False)
    assert story.moving() == ["web-1"], "web-2 may be back in a second"


def test_a_host_that_was_given_up_on_in_this_rollout_does_not_keep_its_release_on_the_others() -> None:
    story = Story(4, canary=3)
    story.deploy()
    story.all_take()
    for name in ("web-1", "web-2", "web-3"):
        story.takes(name)
    story.judge("roll back", "an error that is new with 1.1.0")
    story.settle()
    (stuck,) = story.moving()
    told = story.assigned(stuck).generation
    doing = {"phase": Phase.RETURNING, "live": OLD.id, "outcome": Outcome.WORKING}
    story.report(stuck, term=story.state.term, generation=told, in_service=False, **doing)
    for _ in range(8):
        story.passing(100.0)
    assert story.where(stuck) is HostState.LOST
    assert story.moving() == ["web-2"]


def test_to_prepare_does_not_bring_a_host_that_is_out_any_nearer_to_being_back() -> None:
    story = Story(4, examine=0)
    for name in ("web-1", "web-2"):
        story.report(name, in_service=False, healthy=False)
    story.passing(86_400.0)
    story.deploy()
    for name in story.names:
        story.report(name, phase=Phase.PREPARING)
    for name in story.names:
        story.takes(name, phase=Phase.SETTLED, in_service=story.on(name).in_service)
    assert story.moving() == ["web-1"]


def test_what_it_must_stay_out_is_over_before_a_host_s_own_time_is() -> None:
    story = Story(4, examine=0, unreachable_after=3600, host_within=60)
    story.deploy()
    for name in story.names:
        story.report(name, in_service=name in ("web-3", "web-4"))
        story.takes(name, in_service=name in ("web-3", "web-4"))
    assert story.moving() == []
    story.passing(29.0)
    assert story.moving() == []
    assert "web-1 is out and goes once it stays so, 1 s left, 31 s left, then a person is asked" in waits_for(story)
    story.passing(1.0)
    assert story.moving() == ["web-1"]


def test_a_way_back_on_which_nobody_may_move_says_who_keeps_the_release_why_and_until_when() -> None:
    story = Story(2)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.report("web-2", in_service=False)
    story.ask(c.Abort("web"))
    story.settle()
    assert story.moving() == []
    said = "Room on the way back: web-1 is the last host that serves well, so it keeps 1.1.0 (noonday hosts)"
    assert waits_for(story) == f"{said}, 600 s left, then it ends."


def test_a_twin_that_is_late_takes_room_of_the_way_back() -> None:
    story = Story(5, twin_control=True, max_unavailable=2, canary=2)
    story.deploy()
    story.all_take()
    (twin,) = (name for name in story.names if story.assigned(name).restart_for)
    told = story.assigned(twin).generation
    doing = {"phase": Phase.RESTARTING, "outcome": Outcome.WORKING}
    story.report(twin, term=story.state.term, generation=told, in_service=False, **doing)
    story.settle()
    while story.moving():
        story.takes(story.moving()[0])
    while not story.rollout.asked:
        story.passing(50.0)
    story.ask(c.Abort("web"))
    story.settle()
    assert len(story.moving()) == 1, "two may be out, and the twin is"


def test_one_whose_balancer_can_t_be_asked_may_serve_so_it_does_not_count_as_out_however_long_that_lasts() -> None:
    story = Story(4, examine=0)
    story.report("web-1", in_service=None)
    story.passing(100.0)
    story.report("web-3", in_service=False)
    story.deploy()
    places = {"web-1": None, "web-2": True, "web-3": False, "web-4": True}
    for name in story.names:
        story.takes(name, in_service=places[name])
    story.passing(story.policy.unreachable_after)
    assert story.moving() == [], "web-3 is out, and web-1 may be in"
    story.report("web-1", in_service=False)
    story.passing(story.policy.unreachable_after)
    assert story.moving() == ["web-1"]
