"""How long each server was out of the load balancer, as the balancer itself saw it."""

from __future__ import annotations

import csv
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from noonday_shared.clock import SystemClock

EVERY = 0.1
"""Seconds between two looks: also how exact the result is."""


@dataclass(slots=True)
class Absence:
    """Adds up what each look saw; the time between two looks counts as the earlier one says. Seconds."""

    seconds: dict[str, float] = field(default_factory=dict)
    most_at_once: int = 0
    _last: float = 0.0
    _out: frozenset[str] = frozenset()

    def note(self, at: float, in_service: Mapping[str, bool]) -> None:
        for server in self._out:
            self.seconds[server] = self.seconds.get(server, 0.0) + at - self._last
        for server in in_service:
            self.seconds.setdefault(server, 0.0)
        self._last = at
        self._out = frozenset(server for server, is_in in in_service.items() if not is_in)
        self.most_at_once = max(self.most_at_once, len(self._out))


class BalancerWatch:
    """Asks HAProxy's runtime API ten times a second, in a thread of its own. `absence` is whole after `close`."""

    def __init__(self, admin_socket: Path, backend: str) -> None:
        self.absence = Absence()
        self._socket = admin_socket
        self._backend = backend
        self._clock = SystemClock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="balancer-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(5.0)

    def _watch(self) -> None:
        while not self._closing.wait(EVERY):
            try:
                self.absence.note(self._clock.monotonic(), places(self._socket, self._backend))
            except OSError:
                continue  # HAProxy is busy or ending: the next look counts for this one


def places(admin_socket: Path, backend: str) -> dict[str, bool]:
    """Whether each server of `backend` gets requests now. Raises `OSError`; blocks at most 2 s."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(2.0)
        link.connect(str(admin_socket))
        link.sendall(b"show stat\n")
        text = b"".join(iter(lambda: link.recv(65_536), b"")).decode()
    return in_service(text, backend)


def in_service(stat: str, backend: str) -> dict[str, bool]:
    """From the answer to `show stat`. 'UP 1/3', on its way down, still gets requests."""
    rows = csv.DictReader(stat.removeprefix("# ").splitlines())
    return {
        row["svname"]: row["status"].startswith("UP")
        for row in rows
        if row["pxname"] == backend and row["svname"] not in ("FRONTEND", "BACKEND")
    }
