"""The customers: a steady stream of requests over keep-alive connections, each noted with how it ended.

`python -m examples.webshop.load --port 8080 --out requests.tsv`; TERM ends it once the requests under way are over.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from examples.webshop.tally import SLOW_PATH, Sample

MIX = {"/": 60, "/cart": 20, "/checkout": 17, SLOW_PATH: 3}
"""Paths and how many of a hundred requests go there; `/checkout` is a POST."""

REQUEST_WITHIN = 10.0
REQUESTS_PER_CONNECTION = 500
"""Then a customer leaves and another comes: connections of all ages."""

_BODY = b"payment=invoice"


class Customers:
    """`note` is called once a request, as it ends. One schedule serves all connections: a busy one leaves its turn to
    the next that is free, so the rate stays what it is while some requests are slow."""

    def __init__(self, host: str, port: int, *, rate: float, note: Callable[[Sample], None]) -> None:
        self._host = host
        self._port = port
        self._interval = 1 / rate
        self._note = note
        self._due = 0.0
        self._end = 0.0

    async def run(self, *, connections: int, seconds: float) -> None:
        """Ends after `seconds`, or `stop`, when the requests under way are over."""
        self._due = asyncio.get_running_loop().time()
        self._end = self._due + seconds
        await asyncio.gather(*(self._customer() for _ in range(connections)))

    def stop(self) -> None:
        self._end = 0.0

    async def _customer(self) -> None:
        while await self._turn():
            await self._visit()

    async def _turn(self) -> bool:
        """Wait for the next free turn; False when there is none any more."""
        due = self._due
        self._due += self._interval
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        return asyncio.get_running_loop().time() < self._end

    async def _visit(self) -> None:
        """One connection: its first request is due now. A failed request ends it."""
        link: _Link | None = None
        for number in range(REQUESTS_PER_CONNECTION):
            if number and not await self._turn():
                break
            path = random.choices(list(MIX), weights=list(MIX.values()))[0]
            started = time.perf_counter()
            try:
                async with asyncio.timeout(REQUEST_WITHIN):
                    link = link or await _Link.open(self._host, self._port)
                    status, headers = await link.ask(path)
            except (OSError, TimeoutError, EOFError, ValueError) as error:
                words = f"{type(error).__name__} {error}".strip()
                self._note(Sample(time.time(), time.perf_counter() - started, 0, path, error=words))
                break
            server, release = headers.get("x-server", ""), headers.get("x-release", "")
            self._note(Sample(time.time(), time.perf_counter() - started, status, path, server, release))
            if headers.get("connection", "").lower() == "close":
                break
        if link is not None:
            await link.close()


class _Link:
    """One HTTP/1.1 connection, kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> _Link:
        return cls(*await asyncio.open_connection(host, port))

    async def ask(self, path: str) -> tuple[int, dict[str, str]]:
        """Status and headers (in lower case), after the whole body. Raises `EOFError`, `OSError` or `ValueError`."""
        body = _BODY if path == "/checkout" else b""
        method = "POST" if body else "GET"
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        await self._writer.drain()
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        await self._reader.readexactly(int(headers.get("content-length", "0")))
        _, status, *_ = first.split(" ")
        return int(status), headers

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def _to_file(args: argparse.Namespace) -> None:
    # Line buffered: who reads meanwhile finds whole lines, and no request that was noted is lost.
    with Path(args.out).open("a", encoding="utf-8", buffering=1) as out:
        customers = Customers(args.host, args.port, rate=args.rate, note=lambda sample: print(sample.line(), file=out))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, customers.stop)
        await customers.run(connections=args.connections, seconds=args.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description="Customers of the shop.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second (%(default)s)")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=900.0, help="the longest it may run (%(default)s)")
    parser.add_argument("--out", required=True, help="file for one line a request")
    asyncio.run(_to_file(parser.parse_args()))


if __name__ == "__main__":
    main()
