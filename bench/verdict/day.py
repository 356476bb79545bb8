"""The TrainTicket day: real records of a web application of 27 services, by request, on one clock without gaps.

The day is 51 minutes, in groups with pauses between them; the pauses are left out. A request's duration is the time
from its first record to its last. It failed when the servlet container says that it threw.
"""

from __future__ import annotations

import json
import lzma
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bench.verdict.case import Alert
from bench.verdict.known import Known
from bench.verdict.world import Kind
from noonday_coordinator.statistics.spending import band_of
from noonday_shared.errors import BadInput
from noonday_shared.logs.signature import Signer
from noonday_shared.messages.evidence import Template

FOLDER = "trainticket"
MINUTE = 60.0
_THREW = "Servlet.service() for servlet"
_LEAST_SECONDS = 0.005
_LONGEST = 4000
TRACE = "0" * 32


@dataclass(frozen=True, slots=True)
class Record:
    """`at`: seconds after the request's first record. `line`: as the host writes it."""

    at: float
    level: str
    service: str
    message: str
    key: str
    line: bytes
    alert: Alert | None

    @classmethod
    def of(cls, at: float, level: str, service: str, trace: str, message: str, key: str) -> Record:
        alert = Alert(level, message) if band_of(level) != "other" else None
        line = f"{head_of(level, service)}{trace} {message}".encode()
        return cls(at, level, service, message, key, line, alert)


class Chunk(NamedTuple):
    """Records of one request in one second. `second`: after the one in which the request began."""

    second: int
    lines: list[bytes]
    alerts: list[Alert]


@dataclass(frozen=True, slots=True)
class Request:
    trace: str
    begin: float
    """Seconds since the day began."""
    seconds: float
    failed: bool
    records: tuple[Record, ...]
    chunks: tuple[Chunk, ...]
    """The same records, ready to be logged."""


@dataclass(frozen=True)
class Day:
    requests: Sequence[Request]
    length: float
    templates: Mapping[str, Template]

    @cached_property
    def rates(self) -> Mapping[str, float]:
        """Share of requests that meet each kind of record."""
        met: dict[str, int] = defaultdict(int)
        for request in self.requests:
            for key in {record.key for record in request.records}:
                met[key] += 1
        return {key: count / len(self.requests) for key, count in met.items()}

    @cached_property
    def known(self) -> Known:
        return Known.among(Kind(one, self.rates[key]) for key, one in sorted(self.templates.items()))


def head_of(level: str, service: str) -> str:
    """What stands before a message, in the manner of a Java service; its time is not looked at."""
    return f"2023-01-30 12:01:00,590 {level} [{service}] trace_id="


def read_day(data: Path) -> Day:
    """The first day in `data/trainticket`. Raises `BadInput` when there is none."""
    files = sorted((data / FOLDER).glob("*.jsonl.xz"))
    if not files:
        raise BadInput(
            f"{data} holds no {FOLDER}/*.jsonl.xz.",
            rule="no-data",
            next_action="give the folder that holds trainticket/",
        )
    with lzma.open(files[0], "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    instants = _instants(rows)
    by_trace: dict[str, list[tuple[float, dict[str, Any]]]] = defaultdict(list)
    for row, at in zip(rows, instants, strict=True):
        by_trace[row["trace"]].append((at, row))
    keys, templates = _signed(rows)
    requests = [_request(trace, found, keys) for trace, found in by_trace.items()]
    requests.sort(key=lambda one: (one.begin, one.trace))
    return Day(requests, MINUTE * len({row["minute"] for row in rows}), templates)


def _instants(rows: Sequence[dict[str, Any]]) -> list[float]:
    """Of each record, on the clock without pauses. Some carry a wrong time: they begin with the rest of their request,
    or else with their minute."""
    first: dict[object, float] = {}
    for row in rows:
        at = row["time_ns"] / 1e9
        if at > 0:
            for place in (row["minute"], (row["minute"], row["trace"])):
                first[place] = min(first.get(place, at), at)
    order = {minute: number for number, minute in enumerate(sorted({row["minute"] for row in rows}))}
    found = []
    for row in rows:
        begin = first[row["minute"]]
        at = row["time_ns"] / 1e9 if row["time_ns"] > 0 else first.get((row["minute"], row["trace"]), begin)
        found.append(MINUTE * order[row["minute"]] + min(at - begin, MINUTE - 0.001))
    return found


def _signed(rows: Sequence[dict[str, Any]]) -> tuple[dict[tuple[str, str, str], str], dict[str, Template]]:
    """The key of each (level, service, message), and the templates, with one message as their sample."""
    distinct = sorted({(row["level"], row["service"], row["message"]) for row in rows})
    lines = [f"{head_of(level, service)}{TRACE} {message}".encode() for level, service, message in distinct]
    keys: dict[tuple[str, str, str], str] = {}
    templates: dict[str, Template] = {}
    for what, one in zip(distinct, Signer(most=len(lines) + 1).sign_all(lines), strict=True):
        keys[what] = one.key
        templates.setdefault(
            one.key,
            Template(
                key=one.key,
                level=one.level,
                logger=what[1],
                text=one.text[:2048],
                first_seen=0.0,
                samples=(what[2][:_LONGEST],),
            ),
        )
    return keys, templates


def _request(
    trace: str, found: list[tuple[float, dict[str, Any]]], keys: Mapping[tuple[str, str, str], str]
) -> Request:
    found.sort(key=lambda one: one[0])
    begin, end = found[0][0], found[-1][0]
    records = tuple(
        Record.of(
            at - begin, row["level"], row["service"], trace, row["message"],
            keys[row["level"], row["service"], row["message"]],
        )
        for at, row in found
    )  # fmt: skip
    failed = any(_THREW in record.message for record in records)
    return Request(trace, begin, max(end - begin, _LEAST_SECONDS), failed, records, tuple(_chunks(begin, records)))


def _chunks(begin: float, records: Sequence[Record]) -> Iterator[Chunk]:
    seconds = {record: math.floor(begin + record.at) - math.floor(begin) for record in records}
    for second in sorted(set(seconds.values())):
        here = [record for record in records if seconds[record] == second]
        yield Chunk(second, [one.line for one in here], [one.alert for one in here if one.alert])
