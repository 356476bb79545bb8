"""What an app's log was ever seen to hold: each kind of record, the coarse cluster it belongs to, and where it was.

Two levels of identity. Fine: the template's key. Coarse: a cluster of keys whose texts differ in few words, within
one level and logger. A cluster that often makes new keys (names, free text) is one thing; its new keys are no news.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import eq

from noonday_shared.messages.evidence import Template

START = 600.0
"""Seconds after an app's start whose records are counted apart: starting is loud."""
OFTEN = 0.1
"""A cluster whose next record has a new key with at least this chance makes new keys often."""
_ALIKE = 0.6
_MOST_TOKENS = 60
WILD = "<*>"
_MOST_CANDIDATES = 200
_WORD = re.compile(r"[^\W\d_]+")
_Bucket = tuple[str, str, int, str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of record. Counts are episodes; instants are seconds since the epoch, by the hosts' clocks."""

    key: str
    level: str
    logger: str
    text: str
    cluster: int
    first_seen: float
    last_seen: float = 0.0
    records: int = 0
    episodes: int = 0
    at_start: int = 0
    """Of `episodes`: in the first ten minutes after a start of the app."""
    releases: Mapping[str, int] = field(default_factory=dict)
    hosts: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """`tokens`: the words that all its keys have in common, `<*>` where they differ. The id never changes."""

    id: int
    level: str
    logger: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Frozen: as it was at one instant. `untrusted`: releases whose records are no excuse, as they never went well."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    clusters: Mapping[int, Cluster] = field(default_factory=dict)
    untrusted: frozenset[str] = frozenset()
    seconds: float = 0.0
    """Host-seconds that were counted, ..."""
    start_seconds: float = 0.0
    """... and of these the ones in the first ten minutes after a start."""

    def known(self, key: str) -> Entry | None:
        """The entry, if a release that may be trusted showed it."""
        entry = self.entries.get(key)
        if entry is None or not any(release not in self.untrusted for release in entry.releases):
            return None
        return entry

    def of_starts(self, key: str) -> bool:
        """Whether this is what a start is known to say: at least three times as often then as later.

        Where hardly anything is known but starts, as of a new fleet, nobody can tell them apart.
        """
        entry = self.known(key)
        later = self.seconds - self.start_seconds
        if entry is None or self.start_seconds <= 0 or later < START:
            return False
        doubtful, at_start = self._doubtful(entry), self.at_start(entry)
        if at_start < 2:
            return False
        return at_start / self.start_seconds >= 3 * (entry.episodes - doubtful - at_start) / later

    def at_start(self, entry: Entry) -> int:
        """Its episodes at starts, without those that a release that is not trusted may have brought."""
        return max(entry.at_start - self._doubtful(entry), 0)

    def restless(self) -> frozenset[int]:
        """Clusters that often make new keys: (N1 + 0.5) / (n + 1) is not below 0.1 (Good and Turing)."""
        seen: dict[int, list[int]] = {}
        for entry in self.entries.values():
            if all(release in self.untrusted for release in entry.releases):
                continue
            counts = seen.setdefault(entry.cluster, [0, 0])
            counts[0] += entry.episodes <= 1
            counts[1] += entry.episodes
        return frozenset(
            cluster for cluster, (once, all_of) in seen.items() if (once + 0.5) / (all_of + 1) >= OFTEN and once > 1
        )

    def _doubtful(self, entry: Entry) -> int:
        return sum(count for release, count in entry.releases.items() if release in self.untrusted)


class Clusters:
    """Grows with new keys. What it answered once it answers for ever; keys come in canonical order."""

    def __init__(self, clusters: Iterable[Cluster] = ()) -> None:
        self.all: dict[int, Cluster] = {}
        self._fixed: dict[int, tuple[str | None, ...]] = {}
        """The clusters' words, without `<*>`, which is like nothing."""
        self._newest = 0
        self._buckets: dict[_Bucket, list[int]] = {}
        for cluster in clusters:
            self._keep(cluster)

    def find(self, template: Template) -> Cluster:
        """The cluster of a template, made or widened where it must be."""
        tokens = tokens_of(template.text)
        buckets = _buckets(template.level, template.logger, tokens)
        candidates = {one for bucket in buckets for one in self._buckets.get(bucket, ())}
        # All have one length. A flood asks this millions of times, so the words are compared without a line of Python.
        same, best = max(((sum(map(eq, self._fixed[one], tokens)), -one) for one in candidates), default=(0, 0))
        best = -best
        if not best or (tokens and same / len(tokens) < _ALIKE):
            cluster = Cluster(self._newest + 1, template.level, template.logger, tokens)
            self._keep(cluster)
            return cluster
        known = self.all[best]
        merged = tuple(a if a == b else WILD for a, b in zip(known.tokens, tokens, strict=True))
        if merged != known.tokens:
            self._set(replace(known, tokens=merged))
        return self.all[best]

    def drop(self, ids: Iterable[int]) -> set[int]:
        """Forget these, but for the newest of all: an id never means another cluster. Returns those forgotten."""
        gone = set(ids) - {self._newest}
        for one in gone:
            del self.all[one], self._fixed[one]
        for bucket, found in list(self._buckets.items()):
            left = [one for one in found if one not in gone]
            if left:
                self._buckets[bucket] = left
            else:
                del self._buckets[bucket]
        return gone

    def _keep(self, cluster: Cluster) -> None:
        self._set(cluster)
        self._newest = max(self._newest, cluster.id)
        for bucket in _buckets(cluster.level, cluster.logger, cluster.tokens):
            found = self._buckets.setdefault(bucket, [])
            # The first ones stay: a flood of garbage must not cost the square of its length.
            if cluster.id not in found and len(found) < _MOST_CANDIDATES:
                found.append(cluster.id)

    def _set(self, cluster: Cluster) -> None:
        self.all[cluster.id] = cluster
        self._fixed[cluster.id] = tuple(None if word == WILD else word for word in cluster.tokens)


def _buckets(level: str, logger: str, tokens: tuple[str, ...]) -> tuple[_Bucket, ...]:
    """Where texts of one cluster meet: at their first word, their last one, or the one in the middle."""
    ends = {f"{place}": tokens[place] for place in (0, len(tokens) // 2, -1)} if tokens else {"0": ""}
    return tuple((level, logger, len(tokens), place, word) for place, word in ends.items() if word != WILD)


def tokens_of(text: str) -> tuple[str, ...]:
    return tuple(text.split()[:_MOST_TOKENS])


def words_of(text: str) -> tuple[str, ...]:
    """Its words alone: what marks and brackets stand around them is a matter of the format."""
    return tuple(_WORD.findall(text)[:_MOST_TOKENS])


@lru_cache(maxsize=2**15)  # the same pairs are asked about with each judgement
def nearness(one: str, other: str) -> float:
    """How alike two texts are, 0 to 1, whatever their lengths: twice the words in common over all words."""
    mine, theirs = words_of(one), words_of(other)
    left = list(theirs)
    common = 0
    for word in mine:
        if word in left:
            left.remove(word)
            common += 1
    return 2 * common / max(len(mine) + len(theirs), 1)
