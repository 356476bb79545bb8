"""How much of the last ten minutes the windows tell, host by host."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from noonday_coordinator.verdict.arms import Arms

OVER = 600.0
"""Seconds that are looked at."""
LEAST = 0.8
_SILENT = 30.0
"""Seconds after which a host that has told nothing at all is named."""
_SOONEST = 60.0
"""Seconds before which a gap says nothing: a message may just be late."""


@dataclass(slots=True)
class Coverage:
    members: tuple[str, ...]
    windows: deque[tuple[float, dict[str, tuple[float, int]]]] = field(default_factory=deque)
    """Ends; and by host the seconds that its window covers, and bytes that were dropped in it."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """By host: why what it says is of no use now."""

    def __init__(self, members: Iterable[str]) -> None:
        self.members = tuple(sorted(members))
        self.windows = deque()
        self.refused = {}

    def add(self, arms: Arms, refused: Mapping[str, str] = MappingProxyType({})) -> None:
        """`refused`: see `Window`."""
        self.refused = refused
        hosts = {host: (seen.seconds, seen.dropped) for side in (arms.new, arms.old) for host, seen in side.items()}
        self.windows.append((arms.ends, hosts))
        while self.windows[0][0] <= arms.ends - OVER:
            self.windows.popleft()

    def trouble(self) -> str:
        """What is missing, in words; empty when enough was told."""
        useless = [why for host, why in sorted(self.refused.items()) if host in self.members]
        if useless:
            return f"the evidence is incomplete: {'; '.join(useless[:3])}"
        if len(self.windows) < 2:
            return ""
        span = self.windows[-1][0] - self.windows[0][0]
        silent = [host for host in self.members if not any(host in one for _, one in self.windows)]
        if silent and span >= _SILENT:
            return f"the evidence is incomplete: nothing was told by {', '.join(silent)} in the last {span:.0f} s"
        if span < _SOONEST:
            return ""
        later = list(self.windows)[1:]
        told = {host: sum(min(one.get(host, (0.0, 0))[0], span) for _, one in later) for host in self.members}
        late = {host: share for host in self.members if (share := min(told[host] / span, 1.0)) < LEAST}
        dropped = [
            host for host in self.members if sum(one.get(host, (0.0, 0))[1] > 0 for _, one in later) > 0.2 * len(later)
        ]
        if late:
            shares = ", ".join(f"{100 * share:.0f} % of the time on {host}" for host, share in late.items())
            return f"the evidence is incomplete: only {shares} was told in the last {span:.0f} s"
        if dropped:
            return f"the evidence is incomplete: log lines were dropped on {', '.join(dropped)}"
        return ""
