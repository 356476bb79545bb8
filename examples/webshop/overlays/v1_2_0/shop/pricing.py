"""What a customer pays: regular customers pay less."""

from __future__ import annotations

import logging

log = logging.getLogger("shop.pricing")

DISCOUNTS = {0: 0, 1: 5, 2: 8, 3: 10, 4: 12, 5: 15, 6: 20}


def to_pay(listed: int, customer: int) -> int:
    """In cents, as `listed`. (This is what is wrong with 1.2.0: some customers are of a tier that the table lacks.)"""
    try:
        return listed * (100 - DISCOUNTS[customer % 10]) // 100
    except KeyError:
        log.exception("no price rule for customer %d, order of %d cents charged at list price", customer, listed)
        return listed
