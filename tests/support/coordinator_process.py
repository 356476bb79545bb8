"""`noonday serve` as a real process on a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from noonday_coordinator.api.models import Health
from noonday_coordinator.cli.client import Client
from noonday_coordinator.init import Made, init
from support.eventually import eventually
from support.network import Room
from support.ports import free_port

NOONDAY = Path(sys.executable).with_name("noonday")


@dataclass
class CoordinatorProcess:
    made: Made
    url: str
    process: subprocess.Popen[str] | None = field(default=None)
    env: dict[str, str] | None = field(default=None)
    """Of the process; the test's own when None."""
    program: tuple[str, ...] = (str(NOONDAY),)
    prefix: tuple[str, ...] = ()
    """In front of its command line, as to run it in a room of its own."""

    @classmethod
    def on(cls, folder: Path, broker_url: str, room: Room | None = None) -> CoordinatorProcess:
        """Its folder is made, and nothing runs yet."""
        listen = f"{room.address if room else '127.0.0.1'}:{free_port()}"
        made = init(folder, broker_url=broker_url, listen=listen)
        return cls(made, f"http://{listen}", prefix=room.prefix if room else ())

    def command(self) -> list[str]:
        return [*self.prefix, *self.program, "serve", "--config", str(self.made.config)]

    def start(self) -> None:
        """Block until the API answers."""
        self.begin()
        eventually(self._answers, what=f"an answer of {self.url}", within=120)

    def begin(self) -> None:
        """As `start`, without waiting: it may die before it answers."""
        with (self.made.config.parent / "serve.log").open("a") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, text=True, env=self.env)

    def client(self) -> Client:
        return Client(self.url, self.made.token)

    def log(self) -> str:
        return (self.made.config.parent / "serve.log").read_text()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(15)

    def kill(self) -> None:
        """SIGKILL; safe to repeat."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(15)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        return bool(self.client().get("/health", Health).version)
