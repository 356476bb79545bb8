"""Caveats: what people say of things that are found, so that no release is sent back or held for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["accepted", "muted"]
Per = Literal["request", "second", ""]
"""What a rate is measured in; empty: it is a value of its own, as of a gauge."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A person says that this is known. Accepted: at about this rate; much more of it is news. Muted: at any."""

    status: Status
    rate: float = 0.0
    """Episodes by request or second when it was accepted; 0 for any."""
    by: str = ""
    why: str = ""
    at: float = 0.0
    """Seconds since the epoch."""
    per: Per = "request"
    cluster: int = 0
    """Id of the cluster of which it covers every kind of record; 0: it covers the one."""
    level: str = ""
    text: str = ""
