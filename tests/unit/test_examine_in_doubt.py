"""What looks worse but may be luck is examined for longer, and neither asked of a person nor held for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.verdict.world import Fault, Knobs, error_kind, known_kinds, make_world
from noonday_coordinator.api.waiting import waiting_for
from noonday_coordinator.core import events as e
from noonday_coordinator.core.caveats import Mark
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.judge import EvidenceJudge, replay
from support.story import Story, only

KNOBS = Knobs(seed=3, kinds=24, history=900.0, length=300.0, per_minute=120.0)
ALERT = next(kind for kind in known_kinds(KNOBS) if kind.template.level == "ERROR")
QUIETER = next(kind for kind in known_kinds(KNOBS) if kind.template.level == "INFO" and 0.4 < kind.rate < 0.6)
DOUBT = "'payment declined' comes more often (3 % here, 1 % there), which may be luck"


def examining(**policy: Any) -> Story:
    story = Story(**policy)
    story.deploy()
    for name in story.names:
        story.takes(name)
    story.takes("web-1")
    assert story.rollout.stage is e.Stage.EXAMINING
    return story


def test_a_doubt_prolongs_the_examine_and_says_so() -> None:
    story = examining(examine=60.0, examine_most=600.0)
    story.judge("promote", doubt=DOUBT)
    assert story.passing(61.0) == []
    words = waiting_for(story.rollout, story.state, story.view, story.now)
    assert words.startswith(f"More of a doubt on web-1, 119 s left: {DOUBT}")
    story.judge("promote")
    story.passing(1.0)
    assert story.moving() == ["web-2"]


def test_a_doubt_that_stays_ends_after_three_times_the_examine_and_asks_nobody() -> None:
    story = examining(examine=60.0, examine_most=600.0)
    story.judge("promote", doubt=DOUBT)
    assert story.passing(179.0) == []
    (verdict,) = only(story.passing(1.0), e.VerdictReached)
    assert verdict.verdict == "promote"
    assert f"in spite of {DOUBT}" in verdict.reason
    assert not story.rollout.asked


def test_where_no_examine_may_be_longer_a_doubt_changes_nothing() -> None:
    story = examining(examine=60.0, examine_most=60.0)
    story.judge("promote", doubt=DOUBT)
    (verdict,) = only(story.passing(60.0), e.VerdictReached)
    assert verdict.verdict == "promote"


def test_what_is_in_doubt_and_turns_out_worse_goes_back() -> None:
    story = examining(examine=60.0, examine_most=600.0)
    story.judge("promote", doubt=DOUBT)
    story.passing(90.0)
    story.judge("roll back", "it was no luck")
    story.settle()
    assert story.rollout.stage is e.Stage.ROLLING_BACK
    assert story.where("web-1") is HostState.GOING_BACK


def _told(fault: Fault, knobs: Knobs = KNOBS) -> list[Judgement]:
    world = make_world(knobs, fault)
    return [judgement for _, judgement in replay(world.trial, world.windows)]


def test_a_known_error_is_doubtful_before_it_holds() -> None:
    told = _told(Fault("often", times=((ALERT.key, 4.0),)))
    first = next(one for one in told if one.doubt)
    assert first.verdict == "promote"
    assert ALERT.template.text[:20] in first.doubt
    assert "comes more often" in first.doubt
    assert not told[0].doubt


def test_what_goes_quiet_is_doubtful_before_it_holds() -> None:
    told = _told(Fault("quieter", times=((QUIETER.key, 0.3),)))
    first = next(one for one in told if one.doubt)
    assert first.verdict == "promote"
    assert f"'{QUIETER.template.text[:20]}" in first.doubt
    assert "comes less often" in first.doubt
    assert "hold" in {one.verdict for one in told[told.index(first) :]}


def test_a_new_error_that_came_twice_is_doubtful_also_when_it_stays_away() -> None:
    last = _told(Fault("new", kinds=(error_kind(0.03),), until=60.0), replace(KNOBS, length=420.0))[-1]
    assert last.verdict == "promote"
    assert "KeyError in shop/pay.py charge' is new and came again" in last.doubt


def test_a_new_error_that_all_hosts_showed_for_a_while_is_no_doubt() -> None:
    incident = Fault("incident", everywhere=(error_kind(0.2),), onset=60.0, until=120.0)
    told = _told(incident, replace(KNOBS, length=480.0))
    assert not any("KeyError" in one.doubt for one in told)
    assert told[-1].verdict == "promote"


def test_what_a_person_muted_is_no_doubt() -> None:
    world = make_world(KNOBS, Fault("often", times=((ALERT.key, 4.0),)))
    marked = replace(world.trial, marks={ALERT.key: Mark("muted")})
    assert any(one.doubt for _, one in replay(world.trial, world.windows))
    assert not any(one.doubt for _, one in replay(marked, world.windows))


def test_a_host_that_does_what_it_always_did_raises_no_doubt() -> None:
    session = EvidenceJudge().open(make_world(KNOBS).trial)
    assert session.past.exposure > 0
    assert not any(one.doubt for one in _told(Fault()))
