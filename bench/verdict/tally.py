"""Outcomes of many rollouts of one scenario by one judge: the row of the table, and whether its bar is reached."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bench.verdict.generated import NAME as MADE
from bench.verdict.ours import NAME, Outcome
from bench.verdict.scenarios import Scenario


@dataclass
class Tally:
    scenario: Scenario
    input: str
    who: str
    outcomes: list[tuple[int, Outcome]] = field(default_factory=list)
    """By seed."""

    @property
    def n(self) -> int:
        return len(self.outcomes)

    @property
    def endings(self) -> Counter[str]:
        return Counter(outcome.ending for _, outcome in self.outcomes)

    @property
    def spared(self) -> str:
        """Why this input has no bar; empty when it has one."""
        return self.scenario.spared if self.input != MADE else ""

    @property
    def seconds(self) -> list[float]:
        return sorted(outcome.seconds for _, outcome in self.outcomes if outcome.ending == "rolled back")

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds else math.nan

    @property
    def p90(self) -> float:
        found = self.seconds
        return found[math.ceil(0.9 * len(found)) - 1] if found else math.nan

    @property
    def longer(self) -> int:
        """Rollouts of which the examine went on beyond its time."""
        return sum(outcome.longer > 0 for _, outcome in self.outcomes)

    @property
    def cpu(self) -> float:
        """Seconds of judging a rollout, in the middle."""
        return statistics.median(outcome.cpu for _, outcome in self.outcomes) if self.outcomes else 0.0

    @property
    def reached(self) -> bool | None:
        """None where there is no bar: for peers, and before anything was played."""
        if self.who != NAME or not self.n or self.spared:
            return None
        back = self.endings["rolled back"] / self.n
        caught = back + self.endings["held"] / self.n
        bar = self.scenario.bar
        late = bar.within < math.inf and not self.median <= bar.within
        return back <= bar.wrong and back >= bar.back and caught >= bar.caught and not late

    def row(self) -> list[str]:
        ends = self.endings
        seconds = [f"{value:.0f}" if math.isfinite(value) else "" for value in (self.median, self.p90)]
        counts = [str(ends[one]) for one in ("rolled back", "held", "promoted", "undecided")]
        counts[0] += f" (+{ends['too early']} too early)" if ends["too early"] else ""
        bar = "" if self.who != NAME else f"none: {self.spared}" if self.spared else str(self.scenario.bar)
        mark = {True: "reached", False: "MISSED", None: ""}[self.reached]
        longer = str(self.longer) if self.who == NAME else ""
        return [self.scenario.name, self.input, self.who, str(self.n), *counts, *seconds, longer, bar, mark]

    def as_json(self) -> dict[str, Any]:
        """Every outcome, for those who want to check."""
        return {
            "scenario": self.scenario.name,
            "input": self.input,
            "who": self.who,
            "n": self.n,
            **{ending.replace(" ", "_"): count for ending, count in sorted(self.endings.items())},
            "median_seconds": self.median if self.seconds else None,
            "p90_seconds": self.p90 if self.seconds else None,
            "cpu_seconds": round(self.cpu, 3),
            "bar": "" if self.spared else str(self.scenario.bar),
            "reached": self.reached,
            "outcomes": [
                {
                    "seed": seed,
                    "ending": one.ending,
                    "seconds": one.seconds if math.isfinite(one.seconds) else None,
                    "longer": one.longer,
                    "reason": one.reason,
                }
                for seed, one in self.outcomes
            ],
        }
