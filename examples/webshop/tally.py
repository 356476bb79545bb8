"""What the customers saw: each request as a line in a file, and what the lines add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. `at`: when it was over (seconds since the epoch). `status` 0: there was no whole answer."""

    at: float
    seconds: float
    status: int
    path: str
    server: str = ""
    release: str = ""
    error: str = ""

    @property
    def failed(self) -> bool:
        """No whole answer in time, or one that no customer wants."""
        return self.status == 0 or self.status >= 400

    def line(self) -> str:
        fields = (f"{self.at:.4f}", f"{self.seconds:.4f}", str(self.status), self.path, self.server, self.release)
        return "\t".join((*fields, self.error.replace("\t", " ").replace("\n", " ")))

    @classmethod
    def parse(cls, line: str) -> Sample:
        at, seconds, status, path, server, release, error = line.rstrip("\n").split("\t")
        return cls(float(at), float(seconds), int(status), path, server, release, error)


@dataclass(frozen=True, slots=True)
class Tally:
    """All times are seconds. Requests that are slow by themselves count in neither of the two worst times.

    `longest_pause`: from one answer to the next, over all connections.
    """

    requests: int = 0
    failed: int = 0
    lasted: float = 0.0
    longest_pause: float = 0.0
    slowest: float = 0.0
    by_release: dict[str, int] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    """What failed, the first five."""

    @property
    def rate(self) -> float:
        return self.requests / self.lasted if self.lasted else 0.0


SLOW_PATH = "/slow"


def tally(samples: Iterable[Sample]) -> Tally:
    """Count them; their order does not matter."""
    ordered = sorted(samples, key=lambda sample: sample.at)
    if not ordered:
        return Tally()
    failed = [sample for sample in ordered if sample.failed]
    # The last of the slow ones end long after the others have left, which is no pause.
    usual = [sample for sample in ordered if sample.path != SLOW_PATH]
    return Tally(
        requests=len(ordered),
        failed=len(failed),
        lasted=ordered[-1].at - ordered[0].at,
        longest_pause=max((after.at - before.at for before, after in pairwise(usual)), default=0.0),
        slowest=max((sample.seconds for sample in usual), default=0.0),
        by_release=dict(sorted(Counter(sample.release for sample in ordered if sample.release).items())),
        failures=tuple(_words(sample) for sample in failed[:5]),
    )


def read_samples(path: Path) -> Iterator[Sample]:
    """Every whole line of a file that is perhaps still being written."""
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from (Sample.parse(line) for line in file if line.endswith("\n"))


def _words(sample: Sample) -> str:
    what = sample.error or f"status {sample.status}"
    where = f" from {sample.server} ({sample.release})" if sample.server else ""
    return f"{sample.path}: {what}{where} after {sample.seconds:.2f} s"
