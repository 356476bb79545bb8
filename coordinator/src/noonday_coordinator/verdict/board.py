"""The newest evidence of each host and release. In memory only: it is cumulative, so what is lost comes again."""

from __future__ import annotations

from noonday_coordinator.core.state import Rollout
from noonday_shared.messages import Evidence
from noonday_shared.messages.evidence import IDENTITY_VERSION

KEPT = 4
"""Releases kept for each host of an app."""


class Board:
    """Used by one thread."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], dict[str, Evidence]] = {}

    def add(self, evidence: Evidence) -> bool:
        """Whether it says something newer than what was here. Another identity version can't be compared."""
        if evidence.identity_version != IDENTITY_VERSION:
            return False
        releases = self._newest.setdefault((evidence.app, evidence.host), {})
        known = releases.get(evidence.release)
        if known is not None and known.order >= evidence.order:
            return False
        releases.pop(evidence.release, None)
        releases[evidence.release] = evidence
        while len(releases) > KEPT:
            releases.pop(next(iter(releases)))
        return True

    def of_release(self, rollout: Rollout) -> dict[str, Evidence]:
        """By host: what members of the rollout showed under its release, since it began."""
        found = {}
        for host in rollout.members:
            evidence = self._newest.get((rollout.app, host), {}).get(rollout.release.id)
            if evidence is not None and evidence.since >= rollout.started_at - SKEW:
                found[host] = evidence
        return found

    def of_others(self, rollout: Rollout) -> dict[str, Evidence]:
        """By host: the newest that the app's hosts show under any other release; a host counts as old till it moves."""
        found = {}
        for (app, host), releases in self._newest.items():
            newest = next(reversed(releases.values()), None)
            if app == rollout.app and newest is not None and newest.release != rollout.release.id:
                found[host] = newest
        return found


SKEW = 600.0
"""Seconds by which a host's clock may be off."""
