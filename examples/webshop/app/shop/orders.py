"""Where orders are kept: in the database, and while it is away in a file of this server."""

from __future__ import annotations

import logging
import os
import socket
import threading
from pathlib import Path

log = logging.getLogger("shop.orders")

TIMEOUT = 1.0
WAITING = Path(__file__).parents[1] / "var" / "orders.waiting"
"""Shared by all releases on this server."""

_DATABASE = os.environ.get("SHOP_DATABASE", "")
_lock = threading.Lock()


def keep(order: int, cents: int) -> None:
    """The customer need not know that the database is away."""
    line = f"{order} {cents}\n"
    try:
        _send(line)
    except OSError:
        log.exception("database is away, order %d waits on this server", order)
        with _lock, WAITING.open("a") as file:
            file.write(line)
    else:
        _send_waiting()


def _send(line: str) -> None:
    host, _, port = _DATABASE.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT) as link:
        link.sendall(line.encode())
        if link.recv(16) != b"kept\n":
            raise ConnectionError("the database did not keep it")


def _send_waiting() -> None:
    if not WAITING.exists():
        return
    with _lock:
        waiting = WAITING.read_text().splitlines(keepends=True) if WAITING.exists() else []
        while waiting:
            try:
                _send(waiting[-1])
            except OSError:
                break
            waiting.pop()
        WAITING.write_text("".join(waiting))
        if not waiting:
            WAITING.unlink()
