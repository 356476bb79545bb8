"""The pages. Each handler answers with its text."""

from __future__ import annotations

import logging
import random
import time
from html import escape

from . import catalogue, orders, payment, pricing, texts

log = logging.getLogger("shop.pages")


def front() -> str:
    started = time.perf_counter()
    rows = "".join(
        f"<li>{article.number} {escape(article.name)} <b>{catalogue.euros(article.cents)}</b></li>"
        for article in catalogue.ARTICLES
    )
    if random.random() < 0.1:
        log.info(texts.CATALOGUE, len(catalogue.ARTICLES), (time.perf_counter() - started) * 1000)
    return _page("Everything for the table", f"<ul>{rows}</ul>")


def cart() -> str:
    articles = catalogue.some()
    worth = catalogue.euros(catalogue.listed(articles))
    log.info(texts.CART, f"{random.getrandbits(64):016x}", len(articles), worth)
    return _page("Your cart", f"<p>{len(articles)} articles, {worth}</p>")


def checkout() -> str:
    order, customer = random.randint(100_000, 999_999), random.randint(1, 9_999)
    cents = pricing.to_pay(catalogue.listed(catalogue.some()), customer)
    payment.pay(order, cents)
    orders.keep(order, cents)
    log.info(texts.ORDER, order, customer, catalogue.euros(cents))
    return _page("Thank you", f"<p>Order {order}: {catalogue.euros(cents)}</p>")


def report() -> str:
    """Slow: somebody in the office looks at the stock."""
    seconds = random.uniform(0.3, 0.8)
    time.sleep(seconds)
    log.info(texts.REPORT, random.choice("ABC"), seconds * 1000)
    return _page("Stock", "<p>All there.</p>")


def _page(title: str, body: str) -> str:
    return f"<!doctype html><title>{title}</title><h1>{title}</h1>{body}"
