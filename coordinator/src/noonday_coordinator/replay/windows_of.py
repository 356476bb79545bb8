"""Lines of hosts to windows, on the same way as live ones: counted as the agent counts, cut as the coordinator cuts.

Pure: times come with the lines. Lines are taken as they are needed, so memory is bounded by what is counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from noonday_coordinator.verdict.sampler import Sampler
from noonday_coordinator.verdict.window import WINDOW, HostWindow, Window
from noonday_shared.errors import BadInput
from noonday_shared.logs.counter import ReleaseCounter
from noonday_shared.logs.levels import SERIOUS
from noonday_shared.logs.records import Folder
from noonday_shared.logs.redact import Redactor
from noonday_shared.logs.request_ids import RequestIds
from noonday_shared.logs.shape import Shape
from noonday_shared.logs.signature import Signer
from noonday_shared.logs.telling import MOST_COUNTS
from noonday_shared.messages import Evidence
from noonday_shared.names import ReleaseRef

Line = tuple[float, bytes]
"""When it was written, in seconds since the epoch, and what, without its newline."""
_APP = "replay"
MOST_KINDS = 10_000
"""Kinds of record that are told apart, of serious levels and of others each; what goes beyond is counted by level."""
MOST_WINDOWS = 50_000
"""A week of them; more is a wrong date rather than a log."""
_MOST_AT_ONCE = 5000
_MOST_MESSAGES = 100


@dataclass(frozen=True)
class Source:
    """One file's lines, oldest first. `access`: it holds requests only, so damaged lines count as requests too."""

    lines: Iterable[Line]
    access: bool = False


@dataclass(frozen=True)
class HostLog:
    """`begin`, `end`: between which instants the host's log says anything, silence too; all the time when None."""

    name: str
    release: ReleaseRef
    sources: Sequence[Source]
    begin: float | None = None
    end: float | None = None


def windows_of(
    hosts: Mapping[str, Iterable[Line]],
    releases: Mapping[str, ReleaseRef],
    *,
    step: float = WINDOW,
    begin: float | None = None,
    end: float | None = None,
) -> list[Window]:
    """Windows of `step` seconds from `begin` (the first line of any host when None) to `end` (the last one).

    A host without a line in a window was quiet, not absent. Two calls for two spans of one log (other releases) may
    be put one after the other: each tells all templates it needs. Raises `BadInput` beyond `MOST_WINDOWS`.
    """
    logs = [HostLog(name, releases[name], (Source(lines),)) for name, lines in sorted(hosts.items())]
    return list(cut(logs, step=step, begin=begin, end=end))


def cut(
    hosts: Sequence[HostLog],
    *,
    step: float = WINDOW,
    begin: float | None = None,
    end: float | None = None,
    signer: Signer | None = None,
) -> Iterator[Window]:
    """As `windows_of`, for hosts with several files each, window by window. Lines before `begin` are left out.
    `signer`: one that has read other logs of the same app already."""
    signer = signer or Signer()
    # Evidence has stricter rules for names than folders have.
    readers = {f"h{number:06}": _Host(host, signer) for number, host in enumerate(hosts)}
    begin = min((reader.next_at for reader in readers.values()), default=math.inf) if begin is None else begin
    if not math.isfinite(begin):
        return
    for reader in readers.values():
        reader.start(begin)
    sampler, known, number = Sampler(since=begin), _Kinds(), 0
    while begin + number * step < (until := _until(readers.values(), end)):
        _check((until - begin) / step, step)
        number += 1
        ends = begin + number * step
        for alias, reader in readers.items():
            for evidence in reader.tell(alias, ends - step, ends):
                sampler.add(evidence, ends)
        yield known.bounded(_named(sampler.cut(_APP, ends)[-1] if sampler.apps() else Window(ends, {}), readers))


def _until(readers: Iterable[_Host], end: float | None) -> float:
    """The end, or as far as lines are known to go: behind the next one that waits."""
    if end is not None:
        return end
    return max((math.nextafter(one.next_at, math.inf) for one in readers if one.waits), default=-math.inf)


def _check(windows: float, step: float) -> None:
    if windows > MOST_WINDOWS:
        raise BadInput(
            f"The logs cover more than {MOST_WINDOWS:,} windows of {step:g} s.",
            rule="too-long",
            next_action="give logs of a shorter time, or look for a line with a wrong date",
        )


def _named(window: Window, readers: Mapping[str, _Host]) -> Window:
    return Window(window.ends, {readers[alias].name: seen for alias, seen in window.hosts.items()}, window.templates)


class _Kinds:
    """Bounds what a log of garbage would make of the windows: every line a kind of its own."""

    def __init__(self) -> None:
        self._kept: set[str] = set()
        self._left = {True: MOST_KINDS, False: MOST_KINDS}

    def bounded(self, window: Window) -> Window:
        late = self._learn(window)
        if not late:
            return window
        hosts = {host: _less(seen, late) for host, seen in window.hosts.items()}
        return Window(window.ends, hosts, tuple(one for one in window.templates if one.key not in late))

    def _learn(self, window: Window) -> dict[str, str]:
        """The levels of those kinds in the window that found no room."""
        late: dict[str, str] = {}
        for one in window.templates:
            serious = one.level in SERIOUS
            if one.key in self._kept:
                continue
            if self._left[serious]:
                self._left[serious] -= 1
                self._kept.add(one.key)
            else:
                late[one.key] = one.level
        for seen in window.hosts.values():
            late.update((key, late.get(key, "")) for key in seen.counts if key not in self._kept)
        return late


def _less(seen: HostWindow, late: Mapping[str, str]) -> HostWindow:
    overflow = Counter(seen.overflow)
    for key, (records, _) in seen.counts.items():
        if key in late:
            overflow[late[key] or "NONE"] += records
    counts = {key: count for key, count in seen.counts.items() if key not in late}
    return replace(seen, counts=counts, overflow=dict(overflow))


class _Host:
    """All files of one host, read second by second, so that episodes are told apart as they are live."""

    def __init__(self, log: HostLog, signer: Signer) -> None:
        self.name = log.name
        self._log = log
        self._signer = signer
        self._files = [_File(source) for source in log.sources]
        self._seq = 0
        self._counter = ReleaseCounter(_APP, log.release.id, 1, 0.0, Redactor())

    @property
    def next_at(self) -> float:
        """When the next line was written; infinite at the end."""
        return min((file.next_at for file in self._files), default=math.inf)

    @property
    def waits(self) -> bool:
        return math.isfinite(self.next_at)

    def start(self, begin: float) -> None:
        begin = max(begin, self._log.begin if self._log.begin is not None else begin)
        for file in self._files:
            file.skip(begin)
        self._counter = ReleaseCounter(_APP, self._log.release.id, 1, begin, Redactor())

    def tell(self, alias: str, begin: float, end: float) -> Iterator[Evidence]:
        """Count what was written before `end`, and say all of it; nothing where this log says nothing."""
        first, last = self._log.begin, self._log.end
        if (first is not None and first >= end) or (last is not None and last < begin):
            return
        self._count(end)
        for _ in range(_MOST_MESSAGES):
            self._seq += 1
            evidence = self._counter.to_evidence(host=alias, boot=1, seq=self._seq, now=end)
            yield evidence
            if len(evidence.templates) <= 1 and len(evidence.counts) < MOST_COUNTS:
                return

    def _count(self, end: float) -> None:
        while (at := self.next_at) < end:
            file = next(one for one in self._files if one.next_at == at)
            waited = file.before
            lines = file.take(min(math.floor(at) + 1, end))
            if file.access:
                self._counter.count_requests(lines)
            else:
                # A record that waited for more lines was written when its file was last read.
                self._sign(file, file.folder.flush(at), waited)
                self._sign(file, file.folder.feed(lines, at), at)
        for file in self._files:
            self._sign(file, file.folder.flush(end) if file.waits else file.folder.end(), file.before)
        self._counter.dropped = sum(file.folder.dropped for file in self._files)

    def _sign(self, file: _File, records: list[bytes], at: float) -> None:
        if records:
            self._counter.count(records, self._signer, at, file.ids)


class _File:
    def __init__(self, source: Source) -> None:
        self.access = source.access
        self.folder = Folder(Shape())
        self.ids = RequestIds()
        self.next_at = 0.0
        self.before = 0.0
        """When the lines taken last were written."""
        self._line = b""
        self._lines = iter(source.lines)
        self._advance()

    @property
    def waits(self) -> bool:
        return math.isfinite(self.next_at)

    def skip(self, begin: float) -> None:
        while self.next_at < begin:
            self._advance()

    def take(self, until: float) -> list[bytes]:
        """The lines before `until`, at most so many at once."""
        taken: list[bytes] = []
        self.before = self.next_at
        while self.next_at < until and len(taken) < _MOST_AT_ONCE:
            taken.append(self._line)
            self._advance()
        return taken

    def _advance(self) -> None:
        at, self._line = next(self._lines, (math.inf, b""))
        # A clock that was set back: what came later was written later.
        self.next_at = max(at, self.next_at)
