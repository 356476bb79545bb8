"""The coordinator of the demo: made by `noonday init`, run by `noonday serve`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TextIO

from examples.webshop.child import Child
from examples.webshop.command_line import Typed, program
from examples.webshop.server import APP
from noonday_coordinator.api.models import RolloutInfo, Rollouts
from noonday_coordinator.cli.client import Client
from noonday_shared.clock import SystemClock, wait_until
from noonday_shared.errors import NoondayError

_START_WITHIN = 30.0


class Coordinator:
    """Everything of it lies in `folder`. `typed` is whole after `start`: it knows the URL and the token."""

    def __init__(self, folder: Path, port: int, out: TextIO) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.typed = Typed({"NOONDAY_URL": self.url}, out, folder.parent)
        self._listen = f"127.0.0.1:{port}"
        self._out = out
        self._process: Child | None = None

    @property
    def pid(self) -> int:
        """0 while it does not run."""
        return self._process.pid if self._process else 0

    def start(self, broker_url: str, policy: str) -> None:
        """`policy`: the text of the shop's. Blocks until the API answers. Raises `Deadline` after 30 s."""
        made = self.typed.ask("init", str(self.folder), "--broker", broker_url, "--listen", self._listen, "--app", APP)
        (self.folder / "apps" / f"{APP}.toml").write_text(policy)
        env = {"NOONDAY_URL": self.url, "NOONDAY_TOKEN": made["token"], "NOONDAY_RELEASE_KEY": str(self._release_key)}
        self.typed = Typed(env, self._out, self.folder.parent)
        argv = [program("noonday"), "serve", "--config", str(self.folder / "coordinator.toml")]
        self._process = Child("the coordinator", argv, output=self.folder / "serve.log")
        wait_until(self._answers, what="the coordinator's API", within=_START_WITHIN, clock=SystemClock(), every=0.2)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def must_run(self) -> None:
        if self._process is not None:
            self._process.must_run()

    def rollout_of(self, version: str) -> RolloutInfo | None:
        """The newest rollout, if it is of `version`: asked without a command, as someone who looks all the time."""
        client = Client(self.url, self.typed.env["NOONDAY_TOKEN"])
        with closing(client):
            newest = client.get("/rollouts", Rollouts).rollouts
            if not newest or newest[0].release.version != version:
                return None
            return client.get(f"/rollouts/{newest[0].id}", RolloutInfo)

    @property
    def _release_key(self) -> Path:
        return self.folder / "release.key"

    def _answers(self) -> bool:
        self.must_run()
        try:
            return bool(self.typed.ask("status")["broker"]["connected"])
        except NoondayError:
            return False
