"""One server of the fleet: its folder, its loopback address, supervisord with the shop, and its agent."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from examples.parts.supervisord import Program, SupervisordProcess
from examples.webshop.child import Child
from examples.webshop.command_line import program

APP = "shop"


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    ip: str
    port: int

    @property
    def listen(self) -> str:
        return f"{self.ip}:{self.port}"


class Server:
    """Everything of it lies in `folder`. Not for many threads."""

    def __init__(self, folder: Path, address: Address, database: str) -> None:
        """`database`: host and port."""
        self.folder = folder
        self.address = address
        self.database = database
        self.log = folder / "log"
        self.root = folder / APP
        self._supervisord = SupervisordProcess(folder / "supervisor", [self._program()])
        self._agent: Child | None = None

    @property
    def name(self) -> str:
        return self.address.name

    @property
    def agent_toml(self) -> Path:
        return self.folder / "agent.toml"

    @property
    def agent_pid(self) -> int:
        """0 while it does not run."""
        return self._agent.pid if self._agent else 0

    def start(self, enrolled: str, host_key: str, haproxy: Path) -> None:
        """`enrolled`: what `noonday enroll` printed for agent.toml; `host_key`: what belongs into the key's file."""
        self.log.mkdir(parents=True)
        key_file = self.folder / "host.key"
        key_file.touch(mode=0o600)
        key_file.write_text(host_key)
        enrolled = re.sub(r'^host_key_file = "[^"]*"', f'host_key_file = "{key_file}"', enrolled, flags=re.MULTILINE)
        self.agent_toml.write_text(self._agent_toml(enrolled, haproxy))
        self._supervisord.start()
        argv = [program("noonday-agent"), "run", "--config", str(self.agent_toml)]
        self._agent = Child(f"the agent of {self.name}", argv, output=self.log / "agent.log")

    def stop(self) -> None:
        """The agent first: it would report what happens to the app. May be repeated, also after half a start."""
        if self._agent is not None:
            self._agent.stop()
        self._supervisord.stop()

    def must_run(self) -> None:
        if self._agent is not None:
            self._agent.must_run()

    def _program(self) -> Program:
        return Program(
            APP,
            command=str(self.root / "current" / "bin" / "start"),
            environment={
                "SHOP_DATABASE": self.database,
                "SHOP_LISTEN": self.address.listen,
                "SHOP_LOG": str(self.log),
                "SHOP_PYTHON": sys.executable,
                "SHOP_SERVER": self.name,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            # Nothing is installed yet: the first deploy starts it.
            autostart=False,
            options={"stopwaitsecs": "25", "stopasgroup": "false", "killasgroup": "true"},
        )

    def _agent_toml(self, enrolled: str, haproxy: Path) -> str:
        return f"""\
state_dir = "{self.folder / "state"}"
{enrolled.strip()}

[apps.{APP}]
root = "{self.root}"
process = {{ kind = "supervisord", socket = "{self._supervisord.socket}", program = "{APP}" }}
balancers = [{{ kind = "haproxy", address = "{haproxy}", backend = "{APP}", server = "{self.name}" }}]
health = {{ url = "http://{self.address.listen}", path = "/healthz", within = 20.0 }}
drain = {{ idle_within = 10.0 }}
logs = [
  {{ path = "{self.log / "shop.log"}" }},
  {{ path = "{self.log / "access.log"}", kind = "access" }},
]
"""
