"""From what hosts say, cumulative and unreliable, to windows: what each host did since the window before.

Messages may be lost (the next holds it all), come twice or out of order (the older is left out), begin to count anew
(another boot or epoch), or follow other rules of identity (named, and never counted).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages import Evidence
from noonday_shared.messages.evidence import IDENTITY_VERSION, Template
from noonday_shared.messages.latency import BUCKETS

SOONEST = 2.0
"""Seconds that a window is long at least."""
FORGOTTEN = 900.0
"""Seconds of silence after which a host is waited for no more."""
_CUMULATIVE = "cpu_seconds"


@dataclass(slots=True)
class Heard:
    """One host and app: the newest message, and all totals of its counting. `whole`: every key was seen from 0."""

    evidence: Evidence
    at: float
    whole: bool
    began: float
    """`sent_at` of the first message of this counting."""
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Base:
    """Where the host's next window begins."""

    evidence: Evidence
    totals: dict[str, tuple[int, int]]
    whole: bool = True
    began: float = 0.0


@dataclass(slots=True)
class _App:
    heard: dict[str, Heard] = field(default_factory=dict)
    bases: dict[str, Base] = field(default_factory=dict)
    parts: dict[str, list[HostWindow]] = field(default_factory=dict)
    """Windows of countings that ended before they were cut: a host that changed its release meanwhile."""
    templates: dict[str, Template] = field(default_factory=dict)
    cut_at: float = 0.0


class Sampler:
    """Used by one thread. `strangers`: hosts by app whose evidence follows other rules of identity, in words."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._apps: dict[str, _App] = {}
        self.strangers: dict[tuple[str, str], str] = {}

    def add(self, evidence: Evidence, now: float) -> bool:
        """Whether it says something newer than what was here."""
        place = (evidence.app, evidence.host)
        if evidence.identity_version != IDENTITY_VERSION:
            self.strangers[place] = (
                f"{evidence.host} counts by rules of identity {evidence.identity_version}, this coordinator by "
                f"{IDENTITY_VERSION}: what it says is not compared until its agent is of the same version"
            )
            return False
        self.strangers.pop(place, None)
        app = self._apps.setdefault(evidence.app, _App())
        heard = app.heard.get(evidence.host)
        if heard is not None and heard.evidence.order >= evidence.order:
            return False
        if heard is None or heard.evidence.order[:2] != evidence.order[:2]:
            self._begin(app, heard, evidence, now)
            heard = app.heard[evidence.host]
        heard.evidence, heard.at = evidence, now
        self._note(app, heard, evidence)
        return True

    def apps(self) -> list[str]:
        return sorted(self._apps)

    def due(self, app: str, now: float, longest: float) -> bool:
        """Whether a window should be cut: every host has news, or `longest` seconds are over and some have."""
        known = self._apps.get(app)
        if known is None or now < known.cut_at + SOONEST:
            return False
        there = {host: heard for host, heard in known.heard.items() if heard.at > now - FORGOTTEN}
        news = {host for host, heard in there.items() if self._news(known, host, heard)}
        return bool(news) and (news == set(there) or now >= known.cut_at + longest)

    def cut(self, app: str, now: float) -> tuple[Window, ...]:
        """The window that ends now; before it what hosts did under a counting that ended meanwhile."""
        known = self._apps[app]
        ended: dict[str, list[HostWindow]] = {}
        hosts: dict[str, HostWindow] = {}
        for host, heard in sorted(known.heard.items()):
            parts = known.parts.pop(host, [])
            if self._news(known, host, heard):
                base = known.bases.get(host)
                parts.append(_increase(base, heard))
                known.bases[host] = Base(heard.evidence, dict(heard.totals), heard.whole, heard.began)
            if parts:
                ended[host] = parts[:-1]
                hosts[host] = parts[-1]
        templates = tuple(known.templates[key] for key in sorted(known.templates))
        known.templates = {}
        known.cut_at = now
        tails = [
            Window(now, {host: parts[turn] for host, parts in ended.items() if len(parts) > turn})
            for turn in range(max(map(len, ended.values()), default=0))
        ]
        return (*(replace(tail, templates=templates) for tail in tails), Window(now, hosts, templates))

    def bases(self, app: str) -> Mapping[str, Base]:
        """Where each host's next window begins: kept with the window, so that a restart loses and repeats nothing."""
        known = self._apps.get(app)
        return dict(known.bases) if known else {}

    def resume(self, app: str, bases: Mapping[str, Base], cut_at: float) -> None:
        """Go on from what was kept."""
        known = self._apps.setdefault(app, _App())
        known.bases = dict(bases)
        known.cut_at = cut_at
        for host, base in bases.items():
            known.heard[host] = Heard(base.evidence, cut_at, base.whole, base.began, dict(base.totals))

    def _begin(self, app: _App, before: Heard | None, evidence: Evidence, now: float) -> None:
        """Another counting of a host. What of the last one was not cut yet becomes a part of its own."""
        host = evidence.host
        counted_for = evidence.sent_at - evidence.since
        whole = before is not None or counted_for <= now - self._since
        if before is not None and self._news(app, host, before):
            app.parts.setdefault(host, []).append(_increase(app.bases.get(host), before))
        app.bases.pop(host, None)
        app.heard[host] = Heard(evidence, now, whole, evidence.sent_at)
        if not whole:
            heard = app.heard[host]
            heard.totals.update(evidence.counts)
            app.bases[host] = Base(evidence, dict(heard.totals), False, heard.began)

    def _note(self, app: _App, heard: Heard, evidence: Evidence) -> None:
        base = app.bases.get(evidence.host)
        fresh = {one.key: one for one in evidence.templates}
        for key, count in evidence.counts.items():
            known = heard.totals.get(key)
            if known is None and not heard.whole and base is not None:
                # A key in its turn, counted before we listened: only what is truly new counts from 0.
                told = fresh.get(key)
                if told is None or told.first_seen <= heard.began:
                    base.totals[key] = count
            heard.totals[key] = count if known is None else max(known, count)
        app.templates.update(fresh)

    def _news(self, app: _App, host: str, heard: Heard) -> bool:
        base = app.bases.get(host)
        return base is None or base.evidence.order != heard.evidence.order


def _increase(base: Base | None, heard: Heard) -> HostWindow:
    now = heard.evidence
    before = base.evidence if base else None
    old = base.totals if base else {}
    counts = {}
    for key in sorted(heard.totals):
        records, episodes = heard.totals[key]
        was = old.get(key, (0, 0))
        if records > was[0] or episodes > was[1]:
            counts[key] = (max(records - was[0], 0), max(episodes - was[1], 0))
    started = now.started_at
    return HostWindow(
        release=now.release,
        seconds=max(now.sent_at - (before.sent_at if before else now.since), 0.0),
        requests=_more(now.requests, before.requests if before else 0),
        statuses=_mores(now.statuses, before.statuses if before else {}),
        latency=_buckets(now.latency, before.latency if before else ()),
        counts=counts,
        balancer=_mores(now.balancer, before.balancer if before else {}),
        gauges=_gauges(now.gauges, before.gauges if before else {}),
        age=max(now.sent_at - started, 0.0) if started > 0 else 0.0,
        restarts=_more(now.restarts, before.restarts if before else 0),
        dropped=_more(now.dropped, before.dropped if before else 0),
        overflow=_mores(now.overflow, before.overflow if before else {}),
        first=before is None,
    )


def _more(now: int, before: int) -> int:
    return max(now - before, 0)


def _mores(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: more for name, count in sorted(now.items()) if (more := _more(count, before.get(name, 0)))}


def _buckets(now: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    if len(now) != BUCKETS:
        return ()
    return tuple(_more(a, b) for a, b in zip(now, before or (0,) * BUCKETS, strict=True))


def _gauges(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Values as they are, but for the CPU time, which is cumulative: its increase, where there is one to tell."""
    found = {name: value for name, value in sorted(now.items()) if math.isfinite(value) and name != _CUMULATIVE}
    used, was = now.get(_CUMULATIVE), before.get(_CUMULATIVE)
    if used is not None and was is not None and math.isfinite(used) and used >= was:
        found[_CUMULATIVE] = used - was
    return found
