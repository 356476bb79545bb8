"""One side's files as windows of its hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from noonday_coordinator.replay.alignment import Alignment, Slices, Span
from noonday_coordinator.replay.files import PER_SECOND, HostFiles, LogFile, Side, read
from noonday_coordinator.replay.stamps import DAY
from noonday_coordinator.replay.windows_of import HostLog, Line, Source, cut
from noonday_coordinator.verdict.window import Window
from noonday_shared.logs.signature import Signer
from noonday_shared.names import ReleaseRef


@dataclass(frozen=True, slots=True)
class Sample:
    """One side as it was read. `begin`, `end`: None where its lines tell no times. `records`: log records that are no
    requests."""

    path: str
    rule: str
    hosts: tuple[str, ...]
    files: int
    begin: float | None
    end: float | None
    requests: int
    records: int
    undated: tuple[str, ...] = ()
    """Files whose lines tell no times, so that they were spread evenly."""
    left_out: tuple[str, ...] = ()


def span_of(side: Side) -> Span:
    """Of a side without stamps: as long as its lines would take."""
    firsts = [file.first for file in side.files if file.first is not None]
    lasts = [file.last for file in side.files if file.last is not None]
    if firsts:
        return Span(min(firsts), max(lasts))
    return Span(DAY, DAY + sum(file.lines for file in side.files) / len(side.hosts) / PER_SECOND)


def other_names(old: Side, new: Side, alignment: Alignment) -> dict[str, str]:
    """For old hosts that are called like a new one, unless it is one server that changed its release."""
    theirs = {host.name: host for host in new.hosts}
    both = [host for host in old.hosts if host.name in theirs]
    if alignment.shift == 0 and all(_changed(host, theirs[host.name], alignment.new.step) for host in both):
        return {}
    return {host.name: f"{host.name} (old)" for host in both}


def windows_of_side(
    side: Side, span: Span, slices: Slices, release: ReleaseRef, *, signer: Signer, names: Mapping[str, str]
) -> list[Window]:
    """Streamed: what is kept is counts. Raises `BadInput` when a file can't be read any more."""
    hosts = [
        HostLog(
            names.get(host.name, host.name),
            release,
            [Source(_lines(family, span), all(file.access for file in family)) for family in host.families],
            *_span_of_host(host),
        )
        for host in side.hosts
    ]
    return list(cut(hosts, step=slices.step, begin=slices.begin, end=slices.end, signer=signer))


def sample_of(side: Side, span: Span, windows: Sequence[Window]) -> Sample:
    seen = [one for window in windows for one in window.hosts.values()]
    records = sum(count for one in seen for count, _ in one.counts.values())
    undated = [str(file.path.relative_to(side.path)) for file in side.files if file.first is None]
    return Sample(
        path=str(side.path),
        rule=side.rule,
        hosts=tuple(host.name for host in side.hosts),
        files=len(side.files),
        begin=span.begin if side.stamped else None,
        end=span.end if side.stamped else None,
        requests=sum(one.requests for one in seen),
        records=records + sum(count for one in seen for count in one.overflow.values()),
        undated=tuple(undated),
        left_out=side.left_out,
    )


def _changed(old: HostFiles, new: HostFiles, step: float) -> bool:
    """Whether its old logs end where its new ones begin."""
    (first, last), (begin, _) = _span_of_host(old), _span_of_host(new)
    return first is not None and last is not None and begin is not None and first < begin and last <= begin + step


def _span_of_host(host: HostFiles) -> tuple[float | None, float | None]:
    """Between its first and its last stamp a log tells something, if only that nothing happened."""
    firsts = [file.first for file in host.files]
    lasts = [file.last for file in host.files if file.last is not None]
    if not lasts or None in firsts:
        return None, None
    return min(first for first in firsts if first is not None), max(lasts)


def _lines(family: Sequence[LogFile], span: Span) -> Iterator[Line]:
    """All files of a family, oldest first; those without stamps share the side's time by their lines."""
    undated = sum(file.lines for file in family if file.first is None)
    per_line = span.length / max(undated, 1)
    parts = []
    begin = span.begin
    for file in family:
        end = begin + (file.lines * per_line if file.first is None else 0.0)
        parts.append(read(file, (begin, end)))
        begin = end
    return chain.from_iterable(parts)
