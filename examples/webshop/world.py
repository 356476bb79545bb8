"""All real parts of the demo, started in order and stopped in reverse, whatever happens in between."""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from examples.parts.haproxy import HaproxyProcess
from examples.parts.rabbitmq import RabbitNode
from examples.webshop.child import Child
from examples.webshop.coordinator import Coordinator
from examples.webshop.database import Database
from examples.webshop.guard import guarded
from examples.webshop.server import APP, Address, Server
from examples.webshop.sources import RELEASES, lay_out
from noonday_shared.clock import SystemClock, wait_until

_FLEET_WITHIN = 30.0
_LOAD_WITHIN = 10.0
_AFTER_OUTAGE = 90.0
"""Seconds until what all servers suffered from is no reason to wait any more."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the demo is, and how patient. Seconds; `rate`: requests a second."""

    servers: int = 4
    rate: float = 200.0
    connections: int = 20
    history: float = 15.0
    """Of load on the first release, before anything else happens."""
    examine: float = 20.0
    least_requests: int = 200
    outage: float = 20.0
    """Of the database, for all servers, while a release is examined."""


class World:
    """Made by `world`. Not for many threads."""

    def __init__(self, folder: Path, shape: Shape, out: TextIO) -> None:
        self.folder = folder
        self.shape = shape
        shop_port = free_port([f"127.0.10.{number}" for number in range(1, shape.servers + 1)])
        self.port = free_port(["127.0.0.1"])
        self.database = Database(folder, free_port(["127.0.0.1"], but={self.port}))
        self.rabbit = RabbitNode(folder / "rabbitmq")
        self.coordinator = Coordinator(
            folder / "coordinator", free_port(["127.0.0.1"], but={self.port, self.database.port}), out
        )
        self.servers = tuple(
            Server(
                folder / f"web-{number}", Address(f"web-{number}", f"127.0.10.{number}", shop_port), self.database.url
            )
            for number in range(1, shape.servers + 1)
        )
        self.haproxy = HaproxyProcess(folder / "haproxy", _haproxy_cfg(self.port, self.servers))

    @property
    def requests(self) -> Path:
        """The file with one line a request."""
        return self.folder / "requests.tsv"

    @contextmanager
    def customers(self) -> Iterator[Child]:
        """The load; at the end the requests under way are over and noted."""
        shape = self.shape
        argv = [sys.executable, "-m", "examples.webshop.load", "--port", str(self.port), "--out", str(self.requests)]
        argv += ["--rate", str(shape.rate), "--connections", str(shape.connections)]
        load = Child("the load", argv, output=self.folder / "load.log")
        try:
            yield load
        finally:
            load.stop(within=_LOAD_WITHIN)

    def must_run(self) -> None:
        """Raises `Temporary` naming a part that has ended, with its last words."""
        self.coordinator.must_run()
        self.database.must_run()
        for server in self.servers:
            server.must_run()

    def start(self, stack: ExitStack, say: Callable[[str], None]) -> None:
        """Every part that is begun is ended by `stack`."""
        say("RabbitMQ, a private node")
        stack.callback(self.rabbit.close)
        self.rabbit.start()
        say("the coordinator: noonday init, noonday serve")
        stack.callback(self.coordinator.stop)
        self.coordinator.start(self.rabbit.url, self._policy())
        say("the shop's database")
        stack.callback(self.database.stop)
        self.database.start()
        say(f"HAProxy on 127.0.0.1:{self.port}")
        stack.callback(self.haproxy.stop)
        self.haproxy.start()
        say(f"{len(self.servers)} servers, each with supervisord and its own agent: noonday enroll, noonday-agent run")
        stack.callback(self._stop_servers)
        for server in self.servers:
            self._enrol(server)
        say(f"{len(RELEASES)} releases: noonday release build, noonday release push")
        for version in RELEASES:
            self.push(version, lay_out(version, self.folder / "sources" / version))
        wait_until(
            self._all_heard, what="a report of every agent", within=_FLEET_WITHIN, clock=SystemClock(), every=0.3
        )

    def push(self, version: str, source: Path) -> None:
        typed = self.coordinator.typed
        built = typed.ask("release", "build", str(source), "--version", version, "--out", str(self.folder / "built"))
        typed.ask("release", "push", built["archive"])

    def _enrol(self, server: Server) -> None:
        reply = self.coordinator.typed.ask("enroll", server.name, "--label", "role=web")
        server.start(reply["agent_toml"], reply["host_key"], self.haproxy.admin_socket)

    def _stop_servers(self) -> None:
        with ThreadPoolExecutor(len(self.servers)) as together:
            list(together.map(Server.stop, self.servers))

    def _all_heard(self) -> bool:
        self.must_run()
        hosts = self.coordinator.typed.ask("hosts")["hosts"]
        return all(host["apps"] for host in hosts) and len(hosts) == len(self.servers)

    def _policy(self) -> str:
        return f"""\
app = "{APP}"
hosts = {{ role = "web" }}
canary = 1
examine = {self.shape.examine}
examine_most = {self.shape.examine * 3 + self.shape.outage + _AFTER_OUTAGE}
least_requests = {self.shape.least_requests}
waves = ["100%"]
max_unavailable = 1
"""


@contextmanager
def world(shape: Shape, out: TextIO, say: Callable[[str], None]) -> Iterator[World]:
    """The whole demo world in a temporary folder. When this ends, nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="noonday-demo-"))
    with guarded(folder), ExitStack() as stack:
        made = World(folder, shape, out)
        made.start(stack, say)
        stack.callback(say, "Ending everything that was started.")
        yield made


def _haproxy_cfg(port: int, servers: tuple[Server, ...]) -> str:
    lines = "\n".join(f"  server {server.name} {server.address.listen}" for server in servers)
    return f"""\
global
  nbthread 1
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 30s
  timeout http-keep-alive 60s
frontend {APP}
  bind 127.0.0.1:{port}
  default_backend {APP}
backend {APP}
  balance leastconn
  option httpchk GET /healthz
  default-server check inter 500ms fall 2 rise 2
{lines}
"""


def free_port(addresses: list[str], *, but: Collection[int] = ()) -> int:
    """One port that is free on all of these addresses, and none of `but`."""
    while True:
        with ExitStack() as stack:
            probes = [stack.enter_context(socket.socket()) for _ in addresses]
            probes[0].bind((addresses[0], 0))
            port: int = probes[0].getsockname()[1]
            try:
                for probe, address in zip(probes[1:], addresses[1:], strict=True):
                    probe.bind((address, port))
            except OSError:
                continue
            if port not in but:
                return port
