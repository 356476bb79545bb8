"""The payment provider, which is slow now and then, and always when the shop first calls it: a known trouble that every
release lives with."""

from __future__ import annotations

import itertools
import logging
import random

log = logging.getLogger("shop.payment")

TIMEOUTS = 0.04
"""Share of orders; one request in 150, as about one in six is an order."""

_calls = itertools.count()


def pay(order: int, cents: int) -> None:
    """Charge the customer; a provider that does not answer is asked again."""
    try:
        _ask_provider(order)
    except TimeoutError:
        log.exception("payment provider timed out for order %d (%d cents), retried", order, cents)


def _ask_provider(order: int) -> None:
    if next(_calls) == 0 or random.random() < TIMEOUTS:
        waited = random.randint(2000, 2900)
        raise TimeoutError(f"pay-{random.randint(1, 9)}.example:8443 gave no answer to request {order} in {waited} ms")
