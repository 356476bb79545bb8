"""What a fault makes of a real request: the lines that its host writes for it, and how it is answered."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bench.verdict.case import Alert
from bench.verdict.day import Day, Record, Request, head_of
from bench.verdict.world import Fault, Kind

_NEW_LOGGER = "ts-cancel-service"


class Written(NamedTuple):
    """A line and when it was written, in seconds; `alert` when it is one."""

    at: float
    line: bytes
    alert: Alert | None


class Answered(NamedTuple):
    at: float
    seconds: float
    failed: bool

    @property
    def line(self) -> bytes:
        status = b"500" if self.failed else b"200"
        head = b'10.0.0.7 - - [30/Jan/2023:12:01:00 +0000] "GET /api/v1/travel HTTP/1.1" '
        return head + status + b' 512 "-" "Mozilla/5.0" %.6f' % self.seconds


@dataclass(frozen=True)
class Changes:
    """On one host. `new`: it runs the new release. `as_json`: that release writes its log as JSON."""

    day: Day
    fault: Fault
    new: bool
    as_json: bool = False

    def on(self, after: float) -> bool:
        """Whether the fault acts, so many seconds after the rollout's start."""
        return self.fault.onset < after <= self.fault.until

    def leaves(self, after: float) -> bool:
        """Whether a request that arrives then is logged and answered as it was on the day."""
        met = self.fault.kinds or self.fault.times or self.fault.errors or self.fault.slower != 1.0
        if self.new and (self.as_json or self.fault.renamed or (met and self.on(after))):
            return False
        return not (self.on(after) and (self.fault.everywhere or self.fault.everywhere_errors))

    def written(self, request: Request, at: float, chance: random.Random) -> Iterator[Written]:
        on, ours = self.on(at), self.new and self.on(at)
        times = dict(self.fault.times) if ours else {}
        for record in request.records:
            if times.get(record.key) != 0.0:
                yield self._written(record, request.trace, at)
        extra = [*(self.fault.kinds if ours else ()), *(self.fault.everywhere if on else ())]
        for key, factor in times.items():
            usual = self.day.rates[key]
            extra.append(Kind(self.day.templates[key], max(factor - 1, 0) * usual / (1 - usual)))
        for kind in extra:
            if chance.random() < kind.rate:
                yield self._written(_of_kind(kind, request), request.trace, at)

    def answered(self, request: Request, at: float, chance: random.Random) -> Answered:
        on, ours = self.on(at), self.new and self.on(at)
        seconds = request.seconds * (self.fault.slower if ours else 1.0)
        errors = (self.fault.errors if ours else 0.0) + (self.fault.everywhere_errors if on else 0.0)
        return Answered(at + seconds, seconds, request.failed or chance.random() < errors)

    def _written(self, record: Record, trace: str, at: float) -> Written:
        message = self._reworded(record)
        if message is not record.message:
            record = Record.of(record.at, record.level, record.service, trace, message, record.key)
        line = _json(record, trace) if self.as_json and self.new else record.line
        return Written(at + record.at, line, record.alert)

    def _reworded(self, record: Record) -> str:
        rename = self.fault.renamed
        if (
            rename is None
            or not self.new
            or self.as_json
            or int(record.key, 16) % 1000 >= 1000 * self.fault.rename_share
        ):
            return record.message
        return rename(record.message)


def garbage(count: int, chance: random.Random) -> Iterator[bytes]:
    """So many lines, no two alike, and not by their numbers only."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    for _ in range(count):
        words = " ".join("".join(chance.choices(letters, k=chance.randint(3, 9))) for _ in range(chance.randint(3, 12)))
        yield f"{head_of('INFO', _NEW_LOGGER)}- {words}".encode()


def _of_kind(kind: Kind, request: Request) -> Record:
    one = kind.template
    service = one.logger if one.logger.startswith("ts-") else _NEW_LOGGER
    return Record.of(request.seconds / 2, one.level, service, request.trace, one.samples[0], one.key)


def _json(record: Record, trace: str) -> bytes:
    return json.dumps(
        {
            "time": "2023-01-30T12:01:00.590Z",
            "level": record.level,
            "logger": record.service,
            "trace_id": trace,
            "message": record.message,
        }
    ).encode()
