"""Makes the logs beside it: ten minutes of a shop on one morning with the old release, on the next with a new one.

Both have a known trouble with payments. The new one can't price what has no currency. `python -m examples.logs.make`
writes the same bytes each time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECONDS = 600
PER_SECOND = 0.4
PAGES = ("/", "/cart", "/search", "/article/", "/order")
TRACE = """Traceback (most recent call last):
  File "/srv/shop/current/shop/orders.py", line 88, in place
    total = price(basket)
  File "/srv/shop/current/shop/pricing.py", line 31, in price
    rate = RATES[basket.currency]
KeyError: None"""


@dataclass(frozen=True)
class Server:
    side: str
    name: str
    day: int


SERVERS = (Server("old", "web-1", 0), Server("old", "web-2", 0), Server("new", "web-1", 1), Server("new", "web-2", 1))


def logs(server: Server) -> dict[str, str]:
    """The text of each file of a server."""
    chance = random.Random(f"{server}")
    found: dict[str, list[str]] = {"access.log": [], "app.log": []}
    at = MORNING + timedelta(days=server.day)
    end = at + timedelta(seconds=SECONDS)
    while (at := at + timedelta(seconds=chance.expovariate(PER_SECOND))) < end:
        for file, line in _request(chance, server, at):
            found[file].append(line)
    return {name: "\n".join(lines) + "\n" for name, lines in found.items()}


def files() -> dict[Path, str]:
    return {
        FOLDER / server.side / server.name / name: text for server in SERVERS for name, text in logs(server).items()
    }


def _request(chance: random.Random, server: Server, at: datetime) -> Iterator[tuple[str, str]]:
    page = chance.choice(PAGES)
    path = f"{page}{chance.randrange(1000)}" if page.endswith("e/") else page
    number, stamp = chance.randrange(10_000), f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d}"
    took, status = chance.lognormvariate(-2.9, 0.4), 200
    if page == "/order":
        yield "app.log", f"{stamp} INFO shop.orders: order {number} placed by customer {chance.randrange(500)}"
    if page == "/search" and chance.random() < 0.3:
        yield "app.log", f"{stamp} WARNING shop.search: slow index, {chance.randrange(200, 900)} ms"
    if page == "/order" and chance.random() < 0.1:
        yield "app.log", f"{stamp} ERROR shop.payment: bank did not answer within 2 s, order {number} waits"
    if server.side == "new" and page in ("/order", "/cart") and chance.random() < 0.15:
        status = 500
        yield "app.log", f"{stamp} ERROR shop.web: request failed\n{TRACE}"
    client = f"10.0.{chance.randrange(4)}.{chance.randrange(1, 255)}"
    line = f'{client} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" {status} {chance.randrange(300, 9000)}'
    yield "access.log", f"{line} {took:.3f}"


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
