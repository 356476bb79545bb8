"""Plays scenarios on inputs, seed by seed, so that a table of few is there soon and grows."""

from __future__ import annotations

import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.verdict import ours
from bench.verdict.case import Case
from bench.verdict.ours import Outcome
from bench.verdict.peers import Peer, all_peers
from bench.verdict.scenarios import Scenario, scenarios
from bench.verdict.tally import Tally
from noonday_shared.errors import NoondayError

MOST_SECONDS = 90.0
"""Of one scenario on one input: what takes longer is played less often, and its n says so."""


class Input(Protocol):
    name: str

    def case(self, scenario: Scenario, seed: int) -> Case: ...


@dataclass(frozen=True)
class Plan:
    inputs: Sequence[Input]
    names: frozenset[str]
    """Of the scenarios."""
    worlds: int
    faults: int
    first: int = 0
    """Seed."""
    most: float = MOST_SECONDS
    alone: bool = False
    """Without the peers."""

    def times(self, scenario: Scenario) -> int:
        return self.worlds if scenario.many else self.faults

    def chosen(self) -> list[Scenario]:
        return [one for one in scenarios() if one.name in self.names]


@dataclass
class Judges:
    """`unable`: peers that can't be asked here, with the reason."""

    peers: list[Peer] = field(default_factory=all_peers)
    unable: dict[str, str] = field(default_factory=dict)

    def judge(self, case: Case) -> Iterator[tuple[str, Outcome]]:
        yield ours.NAME, ours.judge(case)
        for peer in self.peers:
            if peer.name not in self.unable:
                try:
                    at = peer.turns_back(case)
                except NoondayError as error:
                    self.unable[peer.name] = str(error)
                else:
                    yield peer.name, _outcome(case, at)


def _outcome(case: Case, at: float | None) -> Outcome:
    return Outcome("promoted") if at is None else ours.turned_back(case, at)


def play(
    plan: Plan, jobs: int, after: Callable[[Sequence[Tally], Sequence[str]], None]
) -> tuple[list[Tally], list[str]]:
    """All tallies, and what could not be measured. `after` each rollout it is told what there is so far."""
    tallies: dict[tuple[str, str, str], Tally] = {}
    spent: dict[tuple[str, str], float] = defaultdict(float)
    unable: dict[str, str] = {}
    seeds = range(plan.first, plan.first + max(plan.worlds, plan.faults))
    for batch in _batches(plan, seeds, spent, jobs):
        for place, seed, seconds, found, without in batch:
            spent[place] += seconds
            unable |= without
            for who, outcome in found:
                _tally(plan, tallies, (*place, who)).outcomes.append((seed, outcome))
            after(_ordered(plan, tallies), _notes(unable))
    return _ordered(plan, tallies), _notes(unable)


Place = tuple[str, str]
"""Names of scenario and input."""
Played = tuple[Place, int, float, list[tuple[str, Outcome]], dict[str, str]]


def _batches(plan: Plan, seeds: range, spent: dict[Place, float], jobs: int) -> Iterator[Iterator[Played]]:
    with multiprocessing.Pool(jobs, _begin, (plan,)) as pool:
        for seed in seeds:
            todo = [
                ((scenario.name, one.name), seed)
                for one in plan.inputs
                for scenario in plan.chosen()
                if seed - plan.first < plan.times(scenario) and spent[scenario.name, one.name] < plan.most
            ]
            yield pool.imap(_one, todo)


_plan: list[Plan] = []
_judges: list[Judges] = []


def _begin(plan: Plan) -> None:
    _plan.append(plan)
    _judges.append(Judges([]) if plan.alone else Judges())


def _one(task: tuple[Place, int]) -> Played:
    place, seed = task
    plan, judges = _plan[0], _judges[0]
    began = time.process_time()
    scenario = next(one for one in plan.chosen() if one.name == place[0])
    case = next(one for one in plan.inputs if one.name == place[1]).case(scenario, seed)
    found = list(judges.judge(case))
    return place, seed, time.process_time() - began, found, dict(judges.unable)


def _tally(plan: Plan, tallies: dict[tuple[str, str, str], Tally], place: tuple[str, str, str]) -> Tally:
    if place not in tallies:
        scenario = next(one for one in plan.chosen() if one.name == place[0])
        tallies[place] = Tally(scenario, place[1], place[2])
    return tallies[place]


def _ordered(plan: Plan, tallies: dict[tuple[str, str, str], Tally]) -> list[Tally]:
    names = [scenario.name for scenario in plan.chosen()]
    inputs = [one.name for one in plan.inputs]
    who = [ours.NAME, *(peer.name for peer in all_peers())]
    order = sorted(tallies, key=lambda place: (names.index(place[0]), inputs.index(place[1]), who.index(place[2])))
    return [tallies[place] for place in order]


def _notes(unable: dict[str, str]) -> list[str]:
    return [f"{name}: not measured: {why}" for name, why in sorted(unable.items())]
