"""The evidence of one app: its logs followed, folded, signed and counted for the release that writes them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from noonday_agent.config import LogFile
from noonday_agent.evidence.follower import Follower
from noonday_agent.evidence.lines import RecentLines
from noonday_agent.evidence.positions import load_positions, save_positions
from noonday_agent.evidence.tail import Position
from noonday_shared.clock import Clock
from noonday_shared.logs.counter import ReleaseCounter
from noonday_shared.logs.records import Folder
from noonday_shared.logs.redact import Redactor
from noonday_shared.logs.shape import Shape
from noonday_shared.logs.signature import Signer
from noonday_shared.messages import Evidence

PUMP_BYTES = 4 << 20
"""Read at most in one `pump`, over all files of the app."""
DRAIN_WITHIN = 2.0
"""Seconds that `drain` reads at most."""
SAVE_EVERY = 10.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Source:
    follower: Follower
    folder: Folder
    access: bool


class Collector:
    """Safe to call from several threads. No call blocks on anything but files; `pump` is bounded in bytes.

    How far each file was read is kept on disk, so a new agent neither counts lines twice nor loses those written
    meanwhile. The counters are not kept: `boot` grows with each start of the agent and comes first in the order of
    evidence, so what a new agent counts from zero replaces what the old one sent, and never looks like a decrease.
    """

    def __init__(self, app: str, logs: Sequence[LogFile], redact: Sequence[str], state_dir: Path, clock: Clock) -> None:
        """Reads and writes `logs-<app>.json` in `state_dir`. A missing log is no error: it may come later."""
        self._app = app
        self._clock = clock
        self._lock = threading.RLock()
        self._redactor = Redactor(redact)
        self._signer = Signer()
        self._lines = RecentLines(self._redactor)
        self._state = state_dir / f"logs-{app}.json"
        known = load_positions(self._state)
        self._sources = [
            _Source(Follower(log.path, clock, known.get(log.path)), Folder(Shape()), log.kind == "access")
            for log in logs
        ]
        self._saved: dict[Path, Sequence[Position]] = {}
        self._saved_at = clock.monotonic()
        self._dropped_before = 0
        self._begun = False
        self._counter = ReleaseCounter(app, "", 0, clock.now(), self._redactor)

    @property
    def paths(self) -> list[Path]:
        return [source.follower.path for source in self._sources]

    @property
    def troubles(self) -> list[str]:
        """A sentence for each log that can't be read now; a missing one is named too."""
        with self._lock:
            return [
                source.follower.trouble or f"{source.follower.path} does not exist yet."
                for source in self._sources
                if source.follower.trouble or source.follower.missing
            ]

    def pump(self, now: float) -> bool:
        """Read and count what was written; `now`: seconds since the epoch. True when more waits: call again soon."""
        with self._lock:
            waiting = [self._pump(source, now, PUMP_BYTES // len(self._sources)) for source in self._sources]
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
            for source in self._sources:
                source.follower.skip_to_end()
                self._counter.count(source.folder.end(), self._signer.sign, now)
            self._counter.dropped = self._dropped() - self._dropped_before

    def begin(self, release: str, epoch: int) -> None:
        """Count for `release` (its id) from now on, after a `drain`. The first call does not drain: what was written
        while no agent ran is news of the release that is live.

        Call it when the old release has stopped and the new one has not started: what both write meanwhile can't be
        told apart.
        """
        with self._lock:
            if self._begun:
                self.drain()
            self._begun = True
            self._dropped_before = self._dropped()
            self._counter = ReleaseCounter(self._app, release, epoch, self._clock.now(), self._redactor)
            self._save()

    def evidence(
        self,
        *,
        host: str,
        boot: int,
        seq: int,
        now: float,
        watching: bool,
        gauges: Mapping[str, float] | None = None,
    ) -> Evidence:
        """What was counted since `begin`. While somebody watches, it also takes the lines read since the last call."""
        with self._lock:
            lines = self._lines.take() if watching else ()
            return self._counter.to_evidence(host=host, boot=boot, seq=seq, now=now, gauges=gauges, lines=lines)

    def close(self) -> None:
        """Keep how far was read, and let go of the files."""
        with self._lock:
            self._save()
            for source in self._sources:
                source.follower.close()

    def _pump(self, source: _Source, now: float, most: int) -> bool:
        lines = source.follower.read(most)
        self._lines.add(lines, now, self._counter.release)
        if source.access:
            self._counter.count_requests(lines)
        else:
            # Folding goes by a clock that does not jump, or a record could be held for as long as the jump.
            instant = self._clock.monotonic()
            records = source.folder.feed(lines, instant) + source.folder.flush(instant)
            self._counter.count(records, self._signer.sign, now)
        return bool(lines) and source.follower.behind > 0

    def _dropped(self) -> int:
        return sum(source.follower.dropped + source.folder.dropped for source in self._sources)

    def _save(self) -> None:
        self._saved_at = self._clock.monotonic()
        positions = {source.follower.path: source.follower.positions for source in self._sources}
        if positions == self._saved:
            return
        try:
            save_positions(self._state, positions)
        except OSError as error:
            _log.warning("%s can't be written (%s): a restart may count lines again.", self._state, error.strerror)
        else:
            self._saved = dict(positions)
