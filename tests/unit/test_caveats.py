from __future__ import annotations

from dataclasses import replace

import pytest

from bench.verdict.world import NEW, OLD, START, Fault, Knobs, World, default_policy, error_kind, make_world
from noonday_coordinator.core.caveats import Mark
from noonday_coordinator.core.commands import ForgetCaveat, MarkCaveat
from noonday_coordinator.core.events import CaveatForgotten, CaveatMarked, Finding, Record, RolloutStarted
from noonday_coordinator.core.evolve import evolve
from noonday_coordinator.core.state import State
from noonday_coordinator.core.submit import submit
from noonday_coordinator.core.view import View
from noonday_coordinator.verdict.judge import EvidenceJudge
from noonday_coordinator.words import say
from noonday_shared.errors import BadInput

KIND = error_kind(0.2)
KNOBS = Knobs(seed=4, kinds=10, history=600.0, length=240.0, novelty=0.0)
POLICY = default_policy()
WAVES = (("web-1",), ("web-2", "web-3"))
MARK = MarkCaveat("web", KIND.key, "accepted", "known until May", rate=0.05, level="ERROR", text="KeyError")


@pytest.fixture(scope="module")
def world() -> World:
    """A new error in one of five requests of the canary."""
    return make_world(KNOBS, Fault("new", kinds=(KIND,)))


def found(world: World, marks: dict[str, Mark | None], *, since_start: bool = False) -> tuple[str, Finding]:
    """Verdict, and the finding of the new error, under these caveats."""
    known = {} if since_start else {key: mark for key, mark in marks.items() if mark is not None}
    session = EvidenceJudge().open(replace(world.trial, marks=known))
    for window in world.windows:
        session.advance(window)
    rollout = replace(world.rollout, marked=marks) if since_start else world.rollout
    judgement = session.judgement(rollout, world.hosts, START + KNOBS.length)
    (one,) = (one for one in judgement.findings if one.key == KIND.key)
    return judgement.verdict, one


@pytest.mark.parametrize("since_start", [False, True])
@pytest.mark.parametrize("mark", [Mark("accepted", 0.2, by="alice"), Mark("muted", by="alice")])
def test_a_caveat_is_said_to_be_one_and_holds_nothing_up(world: World, mark: Mark, since_start: bool) -> None:
    assert found(world, {})[0] == "roll back"
    verdict, finding = found(world, {KIND.key: mark}, since_start=since_start)
    assert verdict == "promote"
    assert (finding.blames, finding.holds, finding.excuse) == (False, False, "caveat")
    assert f"a caveat, {mark.status} by alice" in finding.words


def test_much_more_than_was_accepted_is_blamed_and_says_what_was_accepted(world: World) -> None:
    verdict, finding = found(world, {KIND.key: Mark("accepted", 0.002)})
    assert verdict == "roll back"
    assert "far beyond the caveat, accepted at 0.2 % of requests" in finding.words


def test_few_episodes_are_not_taken_for_more_than_was_accepted(world: World) -> None:
    counted = found(world, {})[1]
    assert found(world, {KIND.key: Mark("accepted", counted.rate_here / 2.2)})[0] == "promote"


def test_a_rate_by_time_does_not_depend_on_the_load(world: World) -> None:
    counted = found(world, {})[1]
    assert found(world, {KIND.key: Mark("accepted", counted.a_second, per="second")})[0] == "promote"
    assert found(world, {KIND.key: Mark("accepted", counted.a_second / 20, per="second")})[0] == "roll back"


def test_what_was_marked_with_its_cluster_covers_every_record_of_it(world: World) -> None:
    trial = world.trial
    entry = next(iter(trial.catalogue.entries.values()))
    seen = replace(entry, key=KIND.key, level="ERROR", text=KIND.template.text, releases={NEW.id: 3})
    catalogue = replace(
        trial.catalogue, entries={**trial.catalogue.entries, KIND.key: seen}, untrusted=frozenset({NEW.id})
    )
    again = replace(world, trial=replace(trial, catalogue=catalogue))
    assert found(again, {})[0] == "roll back"
    assert found(again, {"another": Mark("muted", cluster=entry.cluster)})[0] == "promote"
    assert found(again, {"another": Mark("muted", cluster=entry.cluster + 1)})[0] == "roll back"


def test_a_forgotten_caveat_excuses_nothing_from_then_on(world: World) -> None:
    session = EvidenceJudge().open(replace(world.trial, marks={KIND.key: Mark("muted")}))
    for window in world.windows:
        session.advance(window)
    forgotten = replace(world.rollout, marked={KIND.key: None})
    assert session.judgement(world.rollout, world.hosts, START).verdict == "promote"
    assert session.judgement(forgotten, world.hosts, START).verdict == "roll back"


def test_a_mark_is_a_fact_with_who_when_and_why() -> None:
    state, event = told(State(), MARK)
    assert state.app("web").caveats == {
        KIND.key: Mark("accepted", 0.05, "alice", "known until May", 9.0, level="ERROR", text="KeyError")
    }
    assert say(event) == (
        f"Caveat of web: ERROR 'KeyError' ({KIND.key}), accepted at 5 % of requests: known until May."
    )
    state, event = told(state, ForgetCaveat("web", KIND.key, "mended"))
    assert state.app("web").caveats == {}
    assert say(event) == f"No caveat of web any more: ERROR 'KeyError' ({KIND.key}): mended."


def test_a_mark_counts_at_once_in_the_rollout_under_way_and_in_no_other() -> None:
    state = evolve(State(), Record(1, 5.0, "alice", RolloutStarted("r1", "web", "deploy", NEW, OLD, POLICY, WAVES)))
    state, event = told(state, MARK)
    assert event.rollout == "r1"
    assert state.rollouts["r1"].marked == state.app("web").caveats
    state, _ = told(state, ForgetCaveat("web", KIND.key))
    assert state.rollouts["r1"].marked == {KIND.key: None}
    other, _ = told(state, replace(MARK, app="api"))
    assert other.rollouts["r1"].marked == {KIND.key: None}


def test_what_is_no_caveat_cannot_be_forgotten() -> None:
    with pytest.raises(BadInput, match="is no caveat of web") as caught:
        submit(State(), View(), ForgetCaveat("web", "k"), now=9.0, by="alice")
    assert caught.value.next_action == "noonday caveats list web"


def told(state: State, command: MarkCaveat | ForgetCaveat) -> tuple[State, CaveatMarked | CaveatForgotten]:
    (event,) = submit(state, View(), command, now=9.0, by="alice")
    assert isinstance(event, CaveatMarked | CaveatForgotten)
    return evolve(state, Record(1, 9.0, "alice", event)), event
