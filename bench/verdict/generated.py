"""Cases of the project's own generator."""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import blake2b

from bench.verdict.case import Alert, Case, parted
from bench.verdict.known import Known
from bench.verdict.scenarios import LONGEST, Scenario
from bench.verdict.world import START, Knobs, known_kinds, make_world
from noonday_coordinator.statistics.spending import band_of
from noonday_coordinator.verdict.catalogue import Catalogue
from noonday_coordinator.verdict.window import Window

NAME = "generator"
HISTORY = 3600.0


class Generator:
    name = NAME

    def case(self, scenario: Scenario, seed: int) -> Case:
        # Of each scenario's own: with the same luck in all of them, one unlucky seed would be counted many times.
        luck = int.from_bytes(blake2b(f"{scenario.name} {seed}".encode(), digest_size=6).digest(), "big")
        knobs = Knobs(
            seed=luck,
            per_minute=scenario.per_minute,
            length=max(scenario.length, LONGEST),
            weight=scenario.weight,
            history=HISTORY,
        )
        fault = scenario.fault(Known.among(known_kinds(knobs)), random.Random(f"fault {luck}"))
        world = make_world(knobs, fault)
        windows = [_skewed(window, scenario.skew) for window in world.windows]
        lines = _Lines(world.trial.before, windows, luck)
        now, longer = parted(windows, START + scenario.length)
        older = _older(world.trial.catalogue)
        return Case(world.trial, now, START, lines, scenario.onset(fault), longer, older)


def _older(catalogue: Catalogue) -> list[Alert]:
    """Nothing that Noonday may know from earlier rollouts is kept from the others: what starts say, above all."""
    entries = [entry for _, entry in sorted(catalogue.entries.items()) if band_of(entry.level) != "other"]
    return [Alert(entry.level, entry.text.replace("<*>", "17")) for entry in entries]


def _skewed(window: Window, seconds: float) -> Window:
    """Windows go by the coordinator's clock; what hosts say of instants themselves is off."""
    if not seconds:
        return window
    told = tuple(
        one.model_copy(update={"first_seen": one.first_seen + (seconds if number % 2 else -seconds)})
        for number, one in enumerate(window.templates)
    )
    return Window(window.ends, window.hosts, told)


class _Lines:
    """Alerts as lines: the templates' texts with other numbers each time."""

    def __init__(self, before: Sequence[Window], during: Sequence[Window], seed: int) -> None:
        self._seed = seed
        self._templates = {one.key: one for window in (*before, *during) for one in window.templates}

    def __call__(self, window: Window, host: str) -> Sequence[Alert]:
        seen = window.hosts.get(host)
        if seen is None:
            return ()
        chance = random.Random(f"{self._seed} {window.ends} {host}")
        found: list[Alert] = []
        for key, (records, _) in sorted(seen.counts.items()):
            one = self._templates.get(key)
            if one is not None and band_of(one.level) != "other":
                texts = (one.text.replace("<*>", str(chance.randrange(100_000))) for _ in range(records))
                found.extend(Alert(one.level, text) for text in texts)
        return found
