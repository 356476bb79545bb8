"""Two releases' windows made into a trial: what came before, and what lay side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from noonday_coordinator.replay.alignment import Alignment
from noonday_coordinator.verdict.arms import requests_of
from noonday_coordinator.verdict.window import Window

EVERY = 4
"""Of windows side by side, the old release's part of each fourth serves as history where there is none before."""
_COMMON = 20
"""Episodes on each side, from which on a kind of record tells how busy a side was."""
_LEAST_COMMON = 3


@dataclass(frozen=True, slots=True)
class Arranged:
    """`known`: windows of the old side that are not compared: what they show is no news. What only compared ones show
    is compared; taken for known, it would be left out of one side alone. `history`: where `before` comes from.
    `load`: how many times as busy the new side was, as far as its log tells it without requests; 1.0 where those do.
    """

    before: tuple[Window, ...]
    during: tuple[Window, ...]
    known: tuple[Window, ...]
    history: str
    load: float = 1.0


def arrange(old: Sequence[Window], new: Sequence[Window], alignment: Alignment, release: str) -> Arranged:
    """`old` and `new` are cut as the alignment says; `release`: id of the new one."""
    count = alignment.new.number
    placed = {alignment.first + place: window for place, window in enumerate(old) if window.hosts}
    beside = {place: window for place, window in placed.items() if 0 <= place < count}
    least = max(len(beside) // EVERY, 3)
    history = {place: window for place, window in placed.items() if place < 0}
    words = "the old release's logs from before the new one's"
    whole = max(placed, default=0) + 1 - min(min(placed, default=0), 0)
    if len(history) < least:
        later = {place: window for place, window in placed.items() if place >= count}
        history |= _earlier(later, whole)
        words = "the old release's logs from before and after the new one's"
    if len(history) < least:
        chosen = {place: beside.pop(place) for place in sorted(beside) if place % EVERY == EVERY - 1}
        rest = ", and what there is from before or after" if history else ""
        history |= _earlier(chosen, whole)
        words = f"each {EVERY}th window of the old release's logs, which then is not compared{rest}"
    begin, step = alignment.new.begin, alignment.new.step
    before = tuple(replace(history[place], ends=begin + (place + 1) * step) for place in sorted(history))
    during = tuple(_joined(window, beside.get(place)) for place, window in enumerate(new))
    known = tuple(placed[place] for place in sorted(placed) if place not in beside)
    if _with_requests(before, during):
        return Arranged(before, during, known, words)
    before, during = (tuple(map(_without_requests, windows)) for windows in (before, during))
    load = _load((*before, *during), release)
    before, during = (tuple(_weighted(window, release, load) for window in windows) for windows in (before, during))
    return Arranged(before, during, known, words, load)


def _earlier(windows: Mapping[int, Window], by: int) -> dict[int, Window]:
    """As if they had been so many windows before."""
    return {place - by: window for place, window in windows.items()}


def _joined(new: Window, old: Window | None) -> Window:
    """A host that changed its release has both for a moment; what it did with the new one counts."""
    if old is None:
        return new
    told = {one.key: one for one in (*old.templates, *new.templates)}
    return Window(new.ends, {**old.hosts, **new.hosts}, tuple(told[key] for key in sorted(told)))


def _with_requests(before: Iterable[Window], during: Iterable[Window]) -> bool:
    """Whether every host tells requests: where one does not, they are no measure for all."""
    requests: dict[str, int] = {}
    for window in (*before, *during):
        for host, seen in window.hosts.items():
            requests[host] = requests.get(host, 0) + requests_of(seen)
    return bool(requests) and all(requests.values())


def _without_requests(window: Window) -> Window:
    hosts = {host: replace(seen, requests=0, statuses={}, latency=()) for host, seen in window.hosts.items()}
    return replace(window, hosts=hosts)


def _load(windows: Iterable[Window], release: str) -> float:
    """The middle one of all common kinds of record, by how many times as frequent they are on the new side."""
    counts: dict[bool, dict[str, int]] = {False: {}, True: {}}
    seconds = {False: 0.0, True: 0.0}
    for window in windows:
        for seen in window.hosts.values():
            new = seen.release == release
            seconds[new] += seen.seconds
            for key, (_, episodes) in seen.counts.items():
                counts[new][key] = counts[new].get(key, 0) + episodes
    ratios = _ratios(counts[False], counts[True])
    enough = len(ratios) >= _LEAST_COMMON and all(seconds.values())
    return median(ratios) * seconds[False] / seconds[True] if enough else 1.0


def _ratios(old: Mapping[str, int], new: Mapping[str, int]) -> list[float]:
    common = [key for key in sorted(old) if old[key] >= _COMMON and new.get(key, 0) >= _COMMON]
    return [new[key] / old[key] for key in common]


def _weighted(window: Window, release: str, load: float) -> Window:
    """Old hosts' time in the new side's measure: an hour that was half as busy weighs half an hour."""
    hosts = {
        host: seen if seen.release == release else replace(seen, seconds=seen.seconds / load)
        for host, seen in window.hosts.items()
    }
    return replace(window, hosts=hosts)
