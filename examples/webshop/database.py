"""The shop's database as a process: all servers keep their orders there. It can go away and come back."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from examples.webshop.child import Child
from noonday_shared.clock import SystemClock, wait_until

_START_WITHIN = 10.0


class Database:
    """`url`: host and port. `stop` and `start` may be repeated."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.url = f"127.0.0.1:{port}"
        self._folder = folder
        self._process: Child | None = None

    def start(self) -> None:
        """Block until it answers. Raises `Deadline` after 10 s."""
        argv = [sys.executable, "-m", "examples.webshop.orders_server", "--port", str(self.port)]
        argv += ["--file", str(self._folder / "orders.txt")]
        self._process = Child("the database", argv, output=self._folder / "database.log")
        wait_until(self._answers, what="the database", within=_START_WITHIN, clock=SystemClock(), every=0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def must_run(self) -> None:
        if self._process is not None:
            self._process.must_run()

    def _answers(self) -> bool:
        self.must_run()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True
