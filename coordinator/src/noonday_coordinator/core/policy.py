"""One app's policy (`apps/web.toml`): which hosts, in which order, how long each wait, and what a regression does."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from noonday_shared.config import Settings
from noonday_shared.names import AppName


def _share(value: int | str) -> int | str:
    if isinstance(value, int):
        if value < 1:
            raise ValueError(f"{value} must be at least 1, or a percentage such as '25%'")
        return value
    digits = value.removesuffix("%")
    if not value.endswith("%") or not digits.isdigit() or not 1 <= int(digits) <= 100:
        raise ValueError(f"{value!r} must be a count of hosts, or a percentage from '1%' to '100%'")
    return value


def _shares(value: int | str | tuple[int | str, ...]) -> int | str | tuple[int | str, ...]:
    if not isinstance(value, tuple):
        return _share(value)
    if not value:
        raise ValueError("it names no limit")
    return tuple(_share(one) for one in value)


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


def _share_or_none(value: int | str) -> int | str:
    return value if value in (0, "0%") else _share(value)


Share = Annotated[int | str, AfterValidator(_share)]
"""A count of hosts, or a percentage of the app's hosts."""
ShareOrNone = Annotated[int | str, AfterValidator(_share_or_none)]
Shares = Annotated[int | str | tuple[int | str, ...], AfterValidator(_shares)]
"""A share, or several of which the smallest counts."""
Seconds = Annotated[float, Field(ge=0, le=7 * 86_400)]


def share_of(share: int | str, total: int, *, up: bool = False) -> int:
    """Hosts that `share` means of `total`. A percentage is rounded down, or `up`, and is never 0 but for 0 %."""
    if isinstance(share, int):
        return min(share, total)
    percent = int(share.removesuffix("%"))
    if percent == 0:
        return 0
    exact = total * percent / 100
    return max(1, math.ceil(exact) if up else math.floor(exact))


class Override(Settings):
    """What the verdict makes of the units that `match`."""

    match: Annotated[str, AfterValidator(_pattern)] = Field(
        min_length=1, description="a regular expression, found in 'LEVEL text' or in the unit's name ('status:5xx')"
    )
    action: Literal["ignore", "hold", "weight"] = Field(
        description="ignore it, never roll back for it but hold, or change its part of `sensitivity`"
    )
    weight: float = Field(default=1.0, gt=0, le=10, description="factor on its part, for action = 'weight'")


class Policy(Settings):
    """All waits are seconds."""

    app: AppName = Field(description="the app's name, the same as the file's")
    hosts: dict[str, str] = Field(min_length=1, description="labels that a host must carry, all of them")
    canary: Share = Field(default=1, description="hosts of the first wave")
    examine: Seconds = Field(default=600.0, description="how long the canary is compared before the others follow")
    examine_most: Seconds = Field(
        default=3600.0, description="the longest examine, when requests are few, it is on hold or in doubt"
    )
    least_requests: int = Field(default=200, ge=0, description="requests the canary must have answered to be promoted")
    on_little_evidence: Literal["ask", "promote"] = Field(
        default="ask", description="when least_requests are not reached within examine_most"
    )
    least_new_errors: int = Field(default=3, ge=1, description="episodes of one thing that roll back; fewer hold")
    sensitivity: float = Field(
        default=0.05, gt=0, le=0.5, description="chance of a false alarm in a whole rollout, at most"
    )
    hold_after: Seconds = Field(
        default=7 * 86_400.0,
        description="how long a hold lasts beyond examine before on_hold; examine_most at the most",
    )
    on_hold: Literal["ask", "promote", "rollback"] = Field(default="ask", description="what a hold that lasts does")
    dry_run: bool = Field(default=False, description="judge and say what would have been done, but never act on it")
    twin_control: bool = Field(
        default=False,
        description="restart one old-release host beside the canary, on its own release, so that starts are compared "
        "at equal age",
    )
    overrides: tuple[Override, ...] = Field(default=(), max_length=100, description="what single units do")
    waves: tuple[Share, ...] = Field(default=("100%",), min_length=1, description="sizes of the waves after the canary")
    wave_pause: Seconds = Field(default=0.0, description="between two waves; judging goes on")
    max_unavailable: Shares = Field(
        default=1,
        description="hosts of this app out of the load balancer at once, at most; of several, as in [3, '25%'], the "
        "smallest counts",
    )
    min_healthy: ShareOrNone = Field(default=0, description="hosts that must stay in service; the stricter limit wins")
    max_failures: ShareOrNone = Field(
        default=0,
        description="hosts after the canary that may fail to take the release, counted over the whole rollout, before "
        "that is held against it; they are left out and named",
    )
    group_by: str = Field(
        default="", description="label by which hosts are released one group after the other, as 'rack'; empty: none"
    )
    group_limit: Share = Field(default="100%", description="hosts of one group out at once, at most; needs group_by")
    offline: Literal["fail", "wait", "skip"] = Field(
        default="fail",
        description="a host that is not heard at the start: refuse the rollout, wait for it up to prepare_within, or "
        "go on without it, as without hosts that an operator drained; a rollback always does",
    )
    catch_up: bool = Field(
        default=True,
        description="bring hosts that missed a rollout, and new ones, to the release of record by themselves",
    )
    gates: tuple[Literal["canary"] | Annotated[int, Field(ge=1)], ...] = Field(
        default=(), description="wait for a person after the canary ('canary') or after wave n"
    )
    on_regression: Literal["rollback", "ask"] = Field(
        default="rollback", description="go back at once when the release is blamed, or ask a person first"
    )
    allow_outage: bool = Field(default=False, description="lets the only host of a fleet be taken out")
    max_restarts: int = Field(default=2, ge=1, description="unasked restarts of the new release that count as a loop")
    unhealthy_for: Seconds = Field(default=3.0, description="how long a new-release host may fail its health check")
    prepare_within: Seconds = Field(default=1800.0, description="for all hosts to fetch, verify and unpack")
    host_within: Seconds = Field(default=600.0, description="for one host, from its assignment to its return")
    unreachable_after: Seconds = Field(default=30.0, description="silence after which a host counts as unreachable")

    def limit(self, total: int, absent: int = 0) -> int:
        """Hosts that may be taken out of the load balancer at once: the strictest of the limits, maybe below 1. The
        `absent` ones of `total` carry no load, so percentages of those out are of the others."""
        spare = total - absent - share_of(self.min_healthy, total, up=True)
        return min(self.most_out(total - absent), spare)

    def most_out(self, present: int) -> int:
        """As many of the `present` hosts as `max_unavailable` lets out at once, at least 1."""
        shares = self.max_unavailable if isinstance(self.max_unavailable, tuple) else (self.max_unavailable,)
        return min(share_of(share, present) for share in shares)
