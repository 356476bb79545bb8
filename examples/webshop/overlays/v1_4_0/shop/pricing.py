"""What a customer pays: who orders for more than 100 EUR pays less."""

from __future__ import annotations

FROM_CENTS = 10_000
PERCENT = 3


def to_pay(listed: int, customer: int) -> int:
    """In cents, as `listed`."""
    return listed * (100 - PERCENT) // 100 if listed >= FROM_CENTS else listed
