"""The evidence of one app: its logs followed, folded, signed and counted for the release that writes them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from noonday_agent.config import JournalLog, LogFile
from noonday_agent.evidence.follower import Follower
from noonday_agent.evidence.journal import Journal
from noonday_agent.evidence.lines import MOST_LINES, RecentLines
from noonday_agent.evidence.positions import Positions, load_positions, save_positions
from noonday_agent.evidence.source import Source
from noonday_shared.clock import Clock
from noonday_shared.logs.counter import Process, ReleaseCounter
from noonday_shared.logs.records import Folder
from noonday_shared.logs.redact import Redactor
from noonday_shared.logs.request_ids import RequestIds
from noonday_shared.logs.shape import Shape
from noonday_shared.logs.signature import Signer
from noonday_shared.messages import Evidence

PUMP_BYTES = 4 << 20
"""Read at most in one `pump`, over all files of the app."""
PIECE_BYTES = 32 << 10
"""Read and counted at once."""
DRAIN_WITHIN = 2.0
"""Seconds that `drain` reads at most."""
SAVE_EVERY = 10.0
MOST_ENDED = 4
"""Releases that ended and whose last word waits for a connection."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Read:
    """A source, and what is known of the lines that come from it."""

    source: Source
    access: bool = False
    folder: Folder = field(default_factory=lambda: Folder(Shape()))
    ids: RequestIds = field(default_factory=RequestIds)


@dataclass(frozen=True, slots=True)
class _Ended:
    """A counting that is over, and when it was."""

    counter: ReleaseCounter
    at: float
    counted_for: float
    balancer: Mapping[str, int]


class Collector:
    """Safe to call from several threads. No call blocks on anything but files; `pump` is bounded in bytes.

    How far each file was read is kept on disk, so a new agent neither counts lines twice nor loses those written
    meanwhile. The counters are not kept: `boot` grows with each start of the agent and comes first in the order of
    evidence, so what a new agent counts from zero replaces what the old one sent, and never looks like a decrease.
    """

    def __init__(
        self, app: str, logs: Sequence[LogFile | JournalLog], redact: Sequence[str], state_dir: Path, clock: Clock
    ) -> None:
        """Reads and writes `logs-<app>.json` in `state_dir`. A missing log is no error: it may come later."""
        self._app = app
        self._clock = clock
        self._lock = threading.RLock()
        self._redactor = Redactor(redact)
        self._signer = Signer(redactor=self._redactor)
        self._lines = RecentLines(self._redactor)
        self._state = state_dir / f"logs-{app}.json"
        known = load_positions(self._state)
        self._reads = [_open(log, clock, known) for log in logs]
        self._saved = Positions()
        self._saved_at = clock.monotonic()
        self._dropped_before = 0
        self._begun = False
        self._counter = ReleaseCounter(app, "", 0, clock.now(), self._redactor)
        self._since = clock.monotonic()
        self._ended: deque[_Ended] = deque(maxlen=MOST_ENDED)

    @property
    def paths(self) -> list[Path]:
        """The files that are followed, also those that are not there."""
        return [follower.path for follower in self._followers()]

    @property
    def troubles(self) -> list[str]:
        """A sentence for each log that can't be read now; a missing one is named too."""
        with self._lock:
            troubles = [read.source.trouble for read in self._reads if read.source.trouble]
            missing = [one for one in self._followers() if one.missing and not one.trouble]
            return troubles + [f"{one.path} does not exist yet." for one in missing]

    def pump(self, now: float) -> bool:
        """Read and count what was written; `now`: seconds since the epoch. True when more waits: call again soon."""
        with self._lock:
            waiting = [self._pump(read, now, PUMP_BYTES // len(self._reads)) for read in self._reads]
            self._counter.dropped = self._dropped() - self._dropped_before
            if self._clock.monotonic() - self._saved_at >= SAVE_EVERY:
                self._save()
            return any(waiting)

    def drain(self) -> None:
        """Read and count all that was written until now, so that `evidence` is the last word on the release that ends.
        Blocks at most about `DRAIN_WITHIN` seconds; what is left then is skipped and counted as dropped."""
        with self._lock:
            now = self._clock.now()
            until = self._clock.monotonic() + DRAIN_WITHIN
            while self.pump(now) and self._clock.monotonic() < until:
                pass
            for read in self._reads:
                read.source.skip_to_end()
                self._count(read, read.folder.end(), now)
            self._counter.dropped = self._dropped() - self._dropped_before

    def begin(self, release: str, epoch: int, balancer: Mapping[str, int] | None = None) -> None:
        """Count for `release` (its id) from now on, after a `drain`. The first call does not drain: what was written
        while no agent ran is news of the release that is live. `balancer`: what the balancers counted for the release
        that ends.

        Call it when the old release has stopped and the new one has not started: what both write meanwhile can't be
        told apart.
        """
        with self._lock:
            if self._begun:
                self.drain()
                self._ended.append(_Ended(self._counter, self._clock.now(), self._counted_for(), balancer or {}))
            self._begun = True
            self._dropped_before = self._dropped()
            self._counter = ReleaseCounter(self._app, release, epoch, self._clock.now(), self._redactor)
            self._since = self._clock.monotonic()
            self._save()

    def last_word(self, *, host: str, boot: int, seq: int) -> Evidence | None:
        """What a release that ended has counted to its end, which no `evidence` has told: once each, to be sent before
        the next `evidence`. None when there is none."""
        with self._lock:
            if not self._ended:
                return None
            ended = self._ended.popleft()
            process = Process(balancer=ended.balancer)
            return ended.counter.to_evidence(
                host=host, boot=boot, seq=seq, now=ended.at, counted_for=ended.counted_for, process=process
            )

    def evidence(
        self,
        *,
        host: str,
        boot: int,
        seq: int,
        now: float,
        watching: bool,
        process: Process | None = None,
    ) -> Evidence:
        """What was counted since `begin`; it is to be sent, since it counts as told. While somebody watches, it also
        takes the lines read since the last call."""
        with self._lock:
            lines = self._lines.take() if watching else ()
            return self._counter.to_evidence(
                host=host,
                boot=boot,
                seq=seq,
                now=now,
                counted_for=self._counted_for(),
                process=process,
                lines=lines,
            )

    def close(self) -> None:
        """Keep how far was read, and let go of the files."""
        with self._lock:
            self._save()
            for read in self._reads:
                read.source.close()

    def _counted_for(self) -> float:
        return self._clock.monotonic() - self._since

    def _followers(self) -> list[Follower]:
        return [read.source for read in self._reads if isinstance(read.source, Follower)]

    def _pump(self, read: _Read, now: float, most: int) -> bool:
        """In pieces, so that a second's lines don't all lie in memory, several times over, at once."""
        waiting = -1
        for _ in range(max(most // PIECE_BYTES, 1)):
            lines = read.source.read(PIECE_BYTES)
            self._take(read, lines, now)
            before, waiting = waiting, read.source.behind
            # No lines are no sign of an end: one line may be longer than a piece.
            if waiting == 0 or (not lines and waiting == before):
                return False
        return True

    def _take(self, read: _Read, lines: list[bytes], now: float) -> None:
        if read.access:
            self._lines.add(lines, [""] * len(lines), now, self._counter.release)
            self._counter.count_requests(lines)
        else:
            # Folding goes by a clock that does not jump, or a record could be held for as long as the jump.
            instant = self._clock.monotonic()
            self._count(read, read.folder.feed(lines, instant) + read.folder.flush(instant), now)

    def _count(self, read: _Read, records: list[bytes], now: float) -> None:
        signatures = self._counter.count(records, self._signer, now, read.ids)
        newest = [signature.key for signature in signatures[-MOST_LINES:]]
        self._lines.add(records[-MOST_LINES:], newest, now, self._counter.release)

    def _dropped(self) -> int:
        return sum(read.source.dropped + read.folder.dropped for read in self._reads)

    def _save(self) -> None:
        self._saved_at = self._clock.monotonic()
        files = {follower.path: tuple(follower.positions) for follower in self._followers()}
        cursors = {read.source.unit: read.source.cursor for read in self._reads if isinstance(read.source, Journal)}
        positions = Positions(files=files, cursors=cursors)
        if positions == self._saved:
            return
        try:
            save_positions(self._state, positions)
        except OSError as error:
            _log.warning("%s can't be written (%s): a restart may count lines again.", self._state, error.strerror)
        else:
            self._saved = positions


def _open(log: LogFile | JournalLog, clock: Clock, known: Positions) -> _Read:
    if isinstance(log, JournalLog):
        return _Read(Journal(log.unit, clock, known.cursors.get(log.unit, "")))
    return _Read(Follower(log.path, clock, known.files.get(log.path)), access=log.kind == "access")
