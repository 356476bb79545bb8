"""The counts of each kind of record, bounded: the kind that was not seen for longest makes room for a new one."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from noonday_shared.logs.samples import Samples
from noonday_shared.logs.signature import Signature

MOST_KEYS = 20_000


@dataclass(slots=True, eq=False)
class Seen:
    """One kind of record. `told`: records when its counts were last told; -1 before its template was. `again`: how
    often the template is still to be told. `seconds`: of the episodes, those that are no request known by its id."""

    key: str
    level: str
    logger: str
    text: str
    first: float
    records: int = 0
    episodes: int = 0
    seconds: int = 0
    second: int = -1
    told: int = -1
    again: int = 0
    samples: list[str] = field(default_factory=list)


class Book:
    """`overflow`: records by level that were never told under their key, since it had to make room. One thread.

    A kind that made room and comes back counts from zero again.
    """

    def __init__(self, samples: Samples, most: int = MOST_KEYS) -> None:
        self.seen: OrderedDict[str, Seen] = OrderedDict()
        self.overflow: Counter[str] = Counter()
        self.changed: dict[str, Seen] = {}
        """Counted since they were told, in the order in which that began."""
        self.untold: dict[str, Seen] = {}
        """Whose template is new, or has got another sample."""
        self.repeated: dict[str, Seen] = {}
        """Whose template was told, but may have been lost on the way."""
        self._samples = samples
        self._most = most

    def count(self, signature: Signature, records: int, episodes: int, now: float) -> Seen:
        """Count so many records; `episodes` are those that an id told apart. `now`: seconds since the epoch."""
        seen = self.seen.get(signature.key)
        if seen is None:
            seen = self._add(signature, now)
        else:
            self.seen.move_to_end(signature.key)
        seen.records += records
        seen.episodes += episodes
        self.changed[seen.key] = seen
        return seen

    def tick(self, seen: Seen, now: float) -> None:
        """Count an episode of records that carry no id: one for each second that has any."""
        if seen.second != int(now):
            seen.second = int(now)
            seen.episodes += 1
            seen.seconds += 1

    def wants_sample(self, seen: Seen) -> bool:
        return self._samples.wanted(len(seen.samples), seen.level)

    def sample(self, seen: Seen, record: bytes) -> bool:
        """Keep the record as proof; False when no more of this kind are wanted."""
        if not self.wants_sample(seen):
            return False
        seen.samples.append(self._samples.take(record, seen.level))
        self.untold[seen.key] = seen
        return True

    def _add(self, signature: Signature, now: float) -> Seen:
        if len(self.seen) >= self._most:
            self._forget()
        seen = Seen(signature.key, signature.level, signature.logger, self._samples.text(signature.text), now)
        self.seen[seen.key] = self.untold[seen.key] = seen
        return seen

    def _forget(self) -> None:
        key, seen = self.seen.popitem(last=False)
        self.changed.pop(key, None)
        self.untold.pop(key, None)
        self.repeated.pop(key, None)
        if missed := seen.records - max(seen.told, 0):
            self.overflow[seen.level or "NONE"] += missed
        self._samples.give_back(seen.samples)
