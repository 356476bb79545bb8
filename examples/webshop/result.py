"""How the demo ended: what is claimed, whether it held, and the last table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

from examples.webshop.tally import Tally


@dataclass(frozen=True, slots=True)
class Step:
    """One deploy. `expected`: the exit status of `noonday deploy`, and why by `ending`. `evidence`: whole sentences."""

    title: str
    expected: int
    exit: int
    verdict: str
    seconds: float
    evidence: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    """What should have been seen and was not, as sentences."""

    @property
    def held(self) -> bool:
        return self.exit == self.expected and not self.missed


@dataclass(frozen=True, slots=True)
class DemoResult:
    """`seconds_out`: by server, as the load balancer saw it. `most_out`: servers out at the same time, at most."""

    steps: tuple[Step, ...]
    load: Tally
    seconds_out: Mapping[str, float]
    most_out: int
    seconds: float
    """From the first of the steps to the last, without the set-up."""
    longest: float = 360.0
    troubles: tuple[str, ...] = field(default=())

    @property
    def missed(self) -> tuple[str, ...]:
        """Every bar that was missed, as a sentence; empty: the demo shows what it should."""
        missed = [
            f"{step.title}: exit status {step.exit}, not {step.expected}"
            for step in self.steps
            if step.exit != step.expected
        ]
        missed += [f"{step.title}: {words}" for step in self.steps for words in step.missed]
        if self.load.failed:
            missed.append(
                f"{self.load.failed} of {self.load.requests} requests failed: {'; '.join(self.load.failures)}"
            )
        if not self.load.requests:
            missed.append("no request was made")
        if self.most_out > 1:
            missed.append(f"{self.most_out} servers were out of the load balancer at once, not 1 at most")
        if self.seconds > self.longest:
            missed.append(f"it took {self.seconds:.0f} s, not {self.longest:.0f} s at most")
        return (*missed, *self.troubles)


def table(result: DemoResult, width: int = 110) -> str:
    """The last table, as plain text of at most `width` columns where words allow it."""
    load = result.load
    rows = [
        ("requests", f"{load.requests} ({load.rate:.0f} a second; {_counts(load.by_release)})"),
        ("failed requests", f"{load.failed}"),
        ("longest pause", f"{load.longest_pause * 1000:.0f} ms between two answers"),
        ("slowest request", f"{load.slowest * 1000:.0f} ms, of those that are not slow by themselves"),
        ("out of the balancer", ", ".join(f"{name} {out:.1f} s" for name, out in sorted(result.seconds_out.items()))),
        ("out at once, at most", f"{result.most_out} server{'s' * (result.most_out != 1)}"),
        ("all deploys", f"{result.seconds:.0f} s"),
    ]
    margin = max(len(name) for name, _ in rows)
    lines = [f"  {name.ljust(margin)}  {text}" for name, text in rows]
    for step in result.steps:
        lines += ["", *_step_lines(step, width)]
    ending = [f"  MISSED: {words}" for words in result.missed] or ["  Every bar was reached."]
    return "\n".join((*lines, "", *ending))


def _step_lines(step: Step, width: int) -> list[str]:
    lines = [f"  {step.title}  {step.verdict} after {step.seconds:.0f} s"]
    margin = " " * (len(step.title) + 4)
    for words in step.evidence:
        lead = margin + " " * (len(words) - len(words.lstrip()))
        lines += textwrap.wrap(words.strip(), width, initial_indent=lead, subsequent_indent=lead + "  ")
    return lines


def _counts(by_release: Mapping[str, int]) -> str:
    return ", ".join(f"{count} by {release}" for release, count in by_release.items()) or "none answered"
