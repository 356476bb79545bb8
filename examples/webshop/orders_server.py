"""The database of all the shop's servers: it keeps one order a line, and says so.

`python -m examples.webshop.orders_server --port 5432 --file orders.txt`; TERM ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path
from typing import TextIO

LONGEST_ORDER = 200
"""Bytes."""


async def serve(port: int, file: TextIO) -> None:
    """Ends with TERM."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            order = await reader.readline()
            if order.endswith(b"\n"):
                file.write(order.decode(errors="replace"))
                writer.write(b"kept\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # the server has gone, or sent no order: it asks again when it wants something
        finally:
            writer.close()

    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    async with await asyncio.start_server(take, "127.0.0.1", port, limit=LONGEST_ORDER):
        await asked.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="The shop's database.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    args = parser.parse_args()
    with args.file.open("a", encoding="utf-8", buffering=1) as file:
        asyncio.run(serve(args.port, file))


if __name__ == "__main__":
    main()
