"""One host's agent on a made-up clock: lines in, evidence out, by the counting that real agents do."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.verdict.case import Alert
from bench.verdict.changes import Answered, Written
from bench.verdict.day import Request
from noonday_shared.logs.counter import Process, ReleaseCounter
from noonday_shared.logs.redact import Redactor
from noonday_shared.logs.request_ids import RequestIds
from noonday_shared.logs.signature import Signer
from noonday_shared.messages import Evidence

APP = "web"
OLD_AGE = 86_400.0
_RSS = 2e8
_CPU = 0.02


@dataclass
class Lines:
    """By second since the rollout's start."""

    records: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    access: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    alerts: dict[int, list[Alert]] = field(default_factory=lambda: defaultdict(list))

    def add(self, written: Iterable[Written], answered: Answered, latest: float = math.inf) -> None:
        """`latest`: what would be written later is written then: an app that stops first ends its requests."""
        for at, line, alert in written:
            second = math.floor(min(at, latest))
            self.records[second].append(line)
            if alert is not None:
                self.alerts[second].append(alert)
        self.access[math.floor(min(answered.at, latest))].append(answered.line)

    def add_plain(self, request: Request, second: int, latest: float = math.inf) -> None:
        """As `add`, for a request that begins in this second and is logged as it was."""
        for chunk in request.chunks:
            at = math.floor(min(second + chunk.second, latest))
            self.records[at].extend(chunk.lines)
            if chunk.alerts:
                self.alerts[at].extend(chunk.alerts)
        answered = Answered(second + request.seconds, request.seconds, request.failed)
        self.access[math.floor(min(answered.at, latest))].append(answered.line)

    def alerts_between(self, begin: float, end: float) -> list[Alert]:
        return [alert for second in range(round(begin), round(end)) for alert in self.alerts.get(second, ())]


@dataclass(frozen=True)
class Teller:
    """`origin`: the rollout's start."""

    host: str
    origin: float
    signer: Signer
    leak: float = 0.0
    crash_every: float = 0.0

    def tell(
        self, lines: Lines, release: str, epoch: int, begin: int, ticks: Sequence[int], *, started: float | None = None
    ) -> Iterator[tuple[float, Evidence]]:
        """A message at each tick, with the time at which it is sent; others are seconds after the rollout's start.
        `started`: the app's start, a day before `begin` when None."""
        now = self.origin
        chance = random.Random(f"gauges {self.host} {epoch}")
        counter = ReleaseCounter(APP, release, epoch, now + begin, Redactor())
        ids = RequestIds()
        level = _RSS * chance.uniform(0.95, 1.05)
        requests = restarts = 0
        start = begin - OLD_AGE if started is None else started
        done = begin
        for seq, tick in enumerate(ticks, 1):
            for second in range(done, tick):
                if records := lines.records.get(second):
                    counter.count(records, self.signer, now + second + 1, ids)
                if access := lines.access.get(second):
                    counter.count_requests(access)
                    requests += len(access)
                if self.crash_every and second > begin and (second - begin) % self.crash_every < 1:
                    restarts, start = restarts + 1, second
            done = tick
            rss = (level + self.leak * (tick - begin)) * math.exp(chance.gauss(0, 0.01))
            gauges = {"rss_bytes": rss, "cpu_seconds": requests * _CPU}
            process = Process(started_at=now + start, restarts=restarts, gauges=gauges)
            sent = counter.to_evidence(host=self.host, boot=1, seq=seq, now=now + tick, process=process)
            yield now + tick, sent


def skewed(told: Sequence[tuple[float, Evidence]], seconds: float) -> list[tuple[float, Evidence]]:
    """The same messages from a host whose clock is so early."""
    return [(at, _skewed(evidence, seconds)) for at, evidence in told]


def _skewed(one: Evidence, seconds: float) -> Evidence:
    templates = tuple(told.model_copy(update={"first_seen": told.first_seen + seconds}) for told in one.templates)
    instants = {name: getattr(one, name) + seconds for name in ("since", "sent_at", "started_at")}
    return one.model_copy(update={**instants, "templates": templates})
