"""What a peer is asked."""

from __future__ import annotations

from typing import Protocol

from bench.verdict.case import Case


class Peer(Protocol):
    name: str

    def turns_back(self, case: Case) -> float | None:
        """The instant at which it would send the release back, looking at the end of each window; None for never."""
        ...
