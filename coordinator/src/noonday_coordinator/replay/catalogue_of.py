"""A catalogue made from windows alone: what is known when nothing but these was ever seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from noonday_coordinator.verdict.catalogue import START, Catalogue, Clusters, Entry
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages.evidence import Template


def catalogue_of(windows: Iterable[Window]) -> Catalogue:
    """All that the windows show, for releases that may be trusted. The same windows give the same catalogue."""
    windows = tuple(windows)
    best = templates_of(windows)
    clusters, entries = Clusters(), dict[str, Entry]()
    seconds = start_seconds = 0.0
    for window in windows:
        for one in sorted(window.templates, key=lambda template: template.key):
            if one.key not in entries:
                entries[one.key] = Entry(
                    key=one.key, level=one.level, logger=one.logger, text=one.text, cluster=clusters.find(one).id,
                    first_seen=one.first_seen, samples=best[one.key].samples,
                )  # fmt: skip
        for host, seen in sorted(window.hosts.items()):
            starting = 0 < seen.age < START
            seconds += seen.seconds
            start_seconds += seen.seconds if starting else 0.0
            _count(entries, host, seen, window.ends, starting=starting)
    return Catalogue(entries, dict(clusters.all), seconds=seconds, start_seconds=start_seconds)


def templates_of(windows: Iterable[Window]) -> dict[str, Template]:
    """By key: as it was told with the most samples, of which the first window has only what had come by then."""
    best: dict[str, Template] = {}
    for window in windows:
        for one in window.templates:
            known = best.get(one.key)
            if known is None or len(one.samples) > len(known.samples):
                best[one.key] = one
    return best


def _count(entries: dict[str, Entry], host: str, seen: HostWindow, ends: float, *, starting: bool) -> None:
    for key, (records, episodes) in seen.counts.items():
        entry = entries.get(key)
        if entry is not None:
            entries[key] = replace(
                entry,
                last_seen=max(entry.last_seen, ends),
                records=entry.records + records,
                episodes=entry.episodes + episodes,
                at_start=entry.at_start + (episodes if starting else 0),
                releases={**entry.releases, seen.release: entry.releases.get(seen.release, 0) + episodes},
                hosts={**entry.hosts, host: entry.hosts.get(host, 0) + episodes},
            )
