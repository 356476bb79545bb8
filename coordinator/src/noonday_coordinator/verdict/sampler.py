"""From what hosts say, cumulative and unreliable, to windows: what each host did since the window before.

Messages may be lost (the next holds it all), come twice or out of order (the older is left out), begin to count anew
(another boot or epoch), or be of no use (named, and counted as missing). Hosts' clocks are believed in nothing that
counts: windows end by the coordinator's clock, and how long a host counted is told by a clock of its that nobody sets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from noonday_coordinator.verdict.increase import MOST_KEYS, Counts, increase, joined, told_for
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages import Evidence
from noonday_shared.messages.evidence import IDENTITY_VERSION, Template

SOONEST = 2.0
"""Seconds that a window is long at least."""
FORGOTTEN = 900.0
"""Seconds of silence after which a host is waited for no more."""
REFUSED_FOR = 120.0
"""Seconds for which a message that was refused is named in the windows."""
LATE = 60.0
"""Seconds in which a message of an earlier start of the agent may still arrive."""
_REMEMBERED = 2 * MOST_KEYS + 10_000
"""Totals kept of one host: twice what its agent keeps, so those that it still counts are among them."""
_MOST_TEMPLATES = 5_000
"""Told by one host between two windows."""


@dataclass(slots=True)
class Base:
    """How far a host's counting was told: the newest message, without what is taken out of it, and totals by key.

    `whole`: every key was seen from 0. `began`: `sent_at` of the counting's first message.
    """

    evidence: Evidence
    at: float
    whole: bool
    began: float
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The key that was told the longest time ago comes first."""


@dataclass(slots=True)
class _Host:
    base: Base
    ended: list[HostWindow] = field(default_factory=list)
    """Increases of countings that ended since the last window: another release, or another start of the agent."""
    since: HostWindow | None = None
    """The increase since the last window."""
    templates: dict[str, Template] = field(default_factory=dict)


@dataclass(slots=True)
class _App:
    hosts: dict[str, _Host] = field(default_factory=dict)
    refused: dict[str, tuple[float, str]] = field(default_factory=dict)
    """By host: when the newest message that is of no use came, and why it is of none."""
    cut_at: float = 0.0


class Sampler:
    """Used by one thread. `since`: when this coordinator began to listen."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._apps: dict[str, _App] = {}

    def add(self, evidence: Evidence, now: float) -> bool:
        """Whether it says something newer than what was here. What can't be compared is refused and named."""
        if evidence.identity_version != IDENTITY_VERSION:
            self.refuse(evidence.app, evidence.host, other_identity(evidence.host, evidence.identity_version), now)
            return False
        app = self._apps.setdefault(evidence.app, _App())
        known = app.hosts.get(evidence.host)
        if known is not None and known.base.evidence.order >= evidence.order:
            if known.base.evidence.boot > evidence.boot and now > known.base.at + LATE:
                self.refuse(evidence.app, evidence.host, _began_earlier(known.base.evidence, evidence), now)
            return False
        app.refused.pop(evidence.host, None)
        if known is None or known.base.evidence.order[:2] != evidence.order[:2]:
            app.hosts[evidence.host] = self._begin(known, evidence, now)
        else:
            _go_on(known, evidence, now)
        return True

    def refuse(self, app: str, host: str, why: str, now: float) -> None:
        """A message came that is of no use: the host counts as missing, for a reason that the windows tell."""
        self._apps.setdefault(app, _App()).refused[host] = (now, why)

    def refused(self, app: str, host: str) -> str:
        """Why the host's newest message is of no use; empty when it is of some."""
        known = self._apps.get(app)
        return known.refused.get(host, (0.0, ""))[1] if known else ""

    def apps(self) -> list[str]:
        return sorted(self._apps)

    def due(self, app: str, now: float, longest: float, soonest: float = SOONEST) -> bool:
        """Whether a window should be cut: every host has news, or `longest` seconds are over and some have."""
        known = self._apps.get(app)
        if known is None:
            return False
        passed = now - known.cut_at
        if 0 <= passed < soonest:
            return False
        there = {host for host, one in known.hosts.items() if one.base.at > now - FORGOTTEN}
        news = {host for host in there if _news(known.hosts[host])}
        # The clock was set back where `passed` is below 0: waiting until it is there again would be blindness.
        over = passed >= longest or passed < 0
        return (bool(news) and (news >= there or over)) or (over and bool(self._named(known, now)))

    def cut(self, app: str, now: float) -> tuple[Window, ...]:
        """The window that ends now; before it what hosts did under a counting that ended meanwhile."""
        known = self._apps[app]
        parts: dict[str, list[HostWindow]] = {}
        templates: dict[str, Template] = {}
        for host, one in sorted(known.hosts.items()):
            if _news(one):
                parts[host] = [*one.ended, *([one.since] if one.since else [])]
                templates.update(one.templates)
                one.ended, one.since, one.templates = [], None, {}
        known.cut_at = now
        told = tuple(templates[key] for key in sorted(templates))
        tails = [
            Window(now, {host: all_of[turn] for host, all_of in parts.items() if len(all_of) > turn + 1}, told)
            for turn in range(max(map(len, parts.values()), default=1) - 1)
        ]
        return (
            *tails,
            Window(now, {host: all_of[-1] for host, all_of in parts.items()}, told, self._named(known, now)),
        )

    def bases(self, app: str) -> Mapping[str, Base]:
        """How far each host was told, right after a window was cut: kept with it, a restart loses and repeats
        nothing."""
        known = self._apps.get(app)
        return {host: one.base for host, one in known.hosts.items()} if known else {}

    def resume(self, app: str, bases: Mapping[str, Base], cut_at: float) -> None:
        """Go on from what was kept."""
        known = self._apps.setdefault(app, _App())
        known.cut_at = cut_at
        known.hosts = {host: _Host(base) for host, base in bases.items()}

    def forget(self, hosts: Collection[str]) -> None:
        """Hosts that were removed: should one come back, it begins anew."""
        for known in self._apps.values():
            for host in hosts:
                known.hosts.pop(host, None)
                known.refused.pop(host, None)

    def hosts(self) -> set[str]:
        return {host for known in self._apps.values() for host in (*known.hosts, *known.refused)}

    def _begin(self, before: _Host | None, evidence: Evidence, now: float) -> _Host:
        """Another counting of a host. What of the last one is in no window yet becomes a part of its own."""
        whole = before is not None or told_for(evidence) <= now - self._since
        totals = dict(evidence.counts)
        host = _Host(Base(_bare(evidence), now, whole, evidence.sent_at, totals))
        if before is not None:
            host.ended = [*before.ended, *([before.since] if before.since else [])]
            host.templates = before.templates
        if whole:
            host.since = increase(None, evidence, {key: one for key, one in sorted(totals.items()) if any(one)})
        _learn(host, evidence)
        return host

    def _named(self, app: _App, now: float) -> dict[str, str]:
        return {host: why for host, (at, why) in sorted(app.refused.items()) if abs(now - at) <= REFUSED_FOR}


def other_identity(host: str, version: int) -> str:
    return (
        f"{host} counts by rules of identity {version}, this coordinator by {IDENTITY_VERSION}: "
        "what it says is not compared until its agent is of the same version"
    )


def _began_earlier(known: Evidence, now: Evidence) -> str:
    return (
        f"the agent on {now.host} numbers its start {now.boot}, but one with {known.boot} was heard: its clock was set "
        f"back and its state_dir lost. Once the clock is right: noonday remove {now.host}, then enroll it again"
    )


def _go_on(host: _Host, evidence: Evidence, now: float) -> None:
    base = host.base
    counts = _counted(base, evidence)
    more = increase(base.evidence, evidence, counts)
    host.since = joined(host.since, more) if host.since else more
    base.evidence, base.at = _bare(evidence), now
    _learn(host, evidence)


def _counted(base: Base, evidence: Evidence) -> Counts:
    """Increases by key, taken note of."""
    fresh = {one.key: one for one in evidence.templates}
    found = {}
    for key, (records, episodes) in sorted(evidence.counts.items()):
        was = base.totals.pop(key, None)
        base.totals[key] = (records, episodes)
        if was is None and not base.whole:
            # A key in its turn, counted before we listened: only what is truly new counts from 0.
            told = fresh.get(key)
            was = (0, 0) if told is not None and told.first_seen > base.began else (records, episodes)
        elif was is None or records < was[0]:
            # It had to make room on the host and came back: it counts from zero again.
            was = (0, 0)
        if records > was[0] or episodes > was[1]:
            found[key] = (max(records - was[0], 0), max(episodes - was[1], 0))
    while len(base.totals) > _REMEMBERED:
        del base.totals[next(iter(base.totals))]
    return found


def _learn(host: _Host, evidence: Evidence) -> None:
    for template in evidence.templates:
        if template.key in host.templates or len(host.templates) < _MOST_TEMPLATES:
            host.templates[template.key] = template


def _news(host: _Host) -> bool:
    return bool(host.ended) or host.since is not None


def _bare(evidence: Evidence) -> Evidence:
    """Without what is kept elsewhere, or not at all."""
    return evidence.model_copy(update={"counts": {}, "templates": (), "lines": ()})
