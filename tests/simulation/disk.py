"""A host's disk: the agent's journal and its releases. It may be full, lose what was written last, or be put back to an
older state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter
from simulation.clocks import LocalClock

from noonday_agent.core.journal import Journal
from noonday_agent.releases.layout import LiveTarget
from noonday_shared.errors import Deadline, Permanent, Temporary
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import SignedRelease
from support.fake_host import FakeReleases, MemoryJournal

_JOURNAL = TypeAdapter(Journal)
SLICE = 1.0
"""Seconds between two looks whether a download is still wanted."""


class JournalOnDisk(MemoryJournal):
    """What a disk would hold: bytes, of which some older states may come back."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.reached: Callable[[str], None] = lambda _point: None
        self._older: deque[Journal] = deque(maxlen=3)

    def load(self) -> Journal:
        if self.full:
            raise no_room("journal")
        return _JOURNAL.validate_json(_JOURNAL.dump_json(self.kept))

    def save(self, journal: Journal) -> None:
        if self.full:
            raise no_room("journal")
        self.reached("agent:saving")
        self._older.append(self.kept)
        super().save(journal)
        self.reached("agent:saved")

    def fresh(self) -> Journal:
        """One of an agent that never did anything."""
        return Journal(self.kept.app)

    def lose(self, saves: int) -> bool:
        """As a disk that only says that it flushed. Whether there was anything to lose."""
        before = self.kept
        for _ in range(min(saves, len(self._older))):
            self.kept = self._older.pop()
        return self.kept != before


@dataclass
class Kept:
    """What a backup of the host holds."""

    journal: Journal
    boot: int
    folders: dict[str, SignedRelease]
    current: str


class SimulatedReleases(FakeReleases):
    """`takes`: seconds of a download. `keep`: releases that are kept beside those that are needed."""

    keep = 2

    def __init__(self, clock: LocalClock) -> None:
        super().__init__()
        self.takes = 0.0
        self.full = False
        self.switched: Callable[[str], None] = lambda _target: None
        self._clock = clock
        self._targets: dict[str, LiveTarget] = {}

    def live(self) -> LiveTarget:
        found = self._targets.get(self.current)
        if found is None:
            found = self._targets[self.current] = super().live()
        return found

    def switch(self, target: str) -> None:
        if self.full:
            raise no_room("disk-error")
        if target == self.current:
            return
        super().switch(target)
        self.switched(target)

    def prune(self, protect: set[str]) -> tuple[str, ...]:
        others = [one for one in reversed(self.folders) if one != self.current]
        doomed = tuple(one for one in others[self.keep :] if one not in protect)
        for one in doomed:
            del self.folders[one]
        return doomed

    def prepare(
        self, app: str, release: ReleaseRef, source: str, *, within: float, cancelled: Callable[[], bool]
    ) -> None:
        if release.id in self.folders:
            return
        if self.full:
            raise no_room("disk-full")
        left, deadline = self.takes, self._clock.monotonic() + within
        while left > 0:
            self._clock.sleep(min(SLICE, left))
            left -= SLICE
            if cancelled():
                raise Temporary("Preparing was cancelled.", rule="cancelled", next_action="")
            if self._clock.monotonic() >= deadline:
                raise Deadline(f"Preparing was not done within {within:g} s.", next_action="look at the network")
        super().prepare(app, release, source, within=within, cancelled=cancelled)

    def put(self, app: str, release: ReleaseRef) -> None:
        """Somebody laid it there before Noonday came."""
        super().prepare(app, release, "", within=1.0, cancelled=lambda: False)


def no_room(rule: str) -> Permanent:
    return Permanent("No space left on device.", rule=rule, next_action="make room: df -h")
