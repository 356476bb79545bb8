"""An agent that is kept out: another one consumes its host's queue, so it does nothing but say this."""

from __future__ import annotations

from pydantic import Field

from noonday_shared.envelope import Wire
from noonday_shared.names import HostName

KIND = "claim"


class Claim(Wire):
    """Said again for as long as it lasts. An agent whose own lost connection is still believed in says it too."""

    host: HostName
    boot: int = Field(ge=0)
    """Of the agent that is kept out, as in its snapshots."""
    sent_at: float
    machine: str = Field(default="", max_length=200)
    """Where it runs: the name that the machine gives itself, and its process."""
