"""A whole real fleet for integration tests: RabbitMQ, HAProxy, `noonday serve`, and hosts with real agents.

    def test_a_good_release_reaches_every_host(fleet: Fleet) -> None:
        version = fleet.push()                          # built, signed and pushed by `noonday release`
        with fleet.load() as load:                      # a few clients through HAProxy
            end = fleet.deploy(version)                 # until it ends, or asks a person
        assert end.end == "done"
        assert load.failures == []
        assert {host.web.answers for host in fleet.hosts} == {version}

`fleet` is one fleet of two hosts for the whole session (up in some 10 s), brought to rest before each test: everything
runs, no rollout of `web` is under way, the usual policy is in place, and every host serves one good release. So a test
may leave any mess behind that `Fleet.at_rest` can mend: stopped or killed processes, rollouts under way, drained hosts,
bad releases, apps that misbehave, another policy. A fleet that can't be brought to rest is thrown away, and a new one
started. What a test changes in a file (agent.toml, haproxy.cfg) it changes back itself. Every host also has an app
`api`, which stays empty until a test deploys it. A module that wants another fleet, as of three hosts, has a fixture of
its own around `running_fleet(rabbitmq, hosts=3)`, and one `fleet` that gets it by `yield from lent(…)`.

What a host really is shows without asking Noonday: `host.web.live` (where `current` points), `host.web.answers` (the
version that answers there), `host.web.starts` (every start of the app), `fleet.places()` (HAProxy's own words).
Processes: `host.start_agent / stop_agent / kill_agent`, `fleet.coordinator.start / stop / kill`,
`fleet.haproxy.stop / start`, `host.supervisord`. Crash points: write a point's name into `host.crash_file` or
`fleet.crash_file` while the process runs, and it dies there (see noonday_shared.crashpoint); start it again with
`host.start_agent()` or `fleet.coordinator.start()`.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import secrets
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest

from examples.parts.haproxy import HaproxyProcess
from examples.webshop.guard import guarded
from noonday_coordinator.api import models as m
from support.coordinator_process import CoordinatorProcess
from support.eventually import eventually
from support.fleet_commands import WITHIN, Commands
from support.fleet_host import FleetHost
from support.fleet_release import lay_out
from support.haproxy import KeepAliveLoad
from support.need import need
from support.network import Network
from support.ports import free_port
from support.rabbitmq import RabbitMQ
from support.tcp_proxy import TcpProxy

_NO_FILES: Mapping[str, str] = MappingProxyType({})

POLICY: Mapping[str, object] = {
    "hosts": {"role": "web"},
    "canary": 1,
    "examine": 0,
    "least_requests": 0,
    "waves": ["100%"],
    "max_unavailable": 1,
    "unhealthy_for": 1,
    "prepare_within": 90,
    "host_within": 40,
}
"""Of every app, unless a test says otherwise: no examine, no least requests."""


class Fleet(Commands):
    """Made by `running_fleet`. Not for many threads, but for `get`, `noonday` and what only looks."""

    def __init__(
        self, folder: Path, rabbitmq: RabbitMQ, hosts: int, apps: tuple[str, ...], network: Network | None = None
    ) -> None:
        self.rabbitmq = rabbitmq
        self.crash_file = folder / "crash"
        self.vhost = f"fleet-{secrets.token_hex(4)}"
        self.broker_url = rabbitmq.url.rpartition("/")[0] + "/" + self.vhost
        self.network = network
        self._line = TcpProxy(_port(self.broker_url), host=network.gateway) if network else None
        self.room = network.room() if network else None
        """Where the coordinator is, when it has a room of its own."""
        super().__init__(folder, CoordinatorProcess.on(folder / "noonday", self._broker_seen, self.room))
        self.coordinator.env = os.environ | {"NOONDAY_CRASH_FILE": str(self.crash_file)}
        net = f"127.0.{secrets.randbelow(200) + 20}"
        self.hosts = tuple(
            FleetHost(
                folder / f"web-{number}", f"web-{number}", f"{net}.{number}", apps, network.room() if network else None
            )
            for number in range(1, hosts + 1)
        )
        self.ports = {app: free_port() for app in apps}
        self.haproxy = HaproxyProcess(folder / "haproxy", self._haproxy_cfg())
        self._numbers = itertools.count(1)

    @property
    def _broker_seen(self) -> str:
        """Its URL where coordinator and agents are: from a room only the gateway can be seen."""
        if self.network is None or self._line is None:
            return self.broker_url
        here = f"127.0.0.1:{_port(self.broker_url)}"
        return self.broker_url.replace(here, f"{self.network.gateway}:{self._line.port}")

    def host(self, name: str) -> FleetHost:
        return next(host for host in self.hosts if host.name == name)

    # Releases and rollouts

    def policy(self, app: str = "web", **changes: object) -> None:
        """Write the policy of `app`: `POLICY` with `changes`. It counts from the next rollout on."""
        lines = [f"{key} = {_toml(value)}" for key, value in {"app": app, **POLICY, **changes}.items()]
        (self.folder / "noonday" / "apps" / f"{app}.toml").write_text("\n".join(lines) + "\n")

    def build(
        self,
        mode: str = "healthy",
        *,
        app: str = "web",
        version: str = "",
        toml: str = "",
        key: Path | None = None,
        files: Mapping[str, str] = _NO_FILES,
    ) -> tuple[str, Path]:
        """Version and archive of a new release; see `support.fleet_release` for `mode`. `toml`: more of release.toml.
        `key`: signs it instead of the coordinator's. `files`: texts by path, as of "hooks/pre"."""
        version = version or f"1.0.{next(self._numbers)}"
        source = Path(tempfile.mkdtemp(dir=self.folder, prefix="source-"))
        lay_out(source, app, version, mode=mode, toml=toml, files=files)
        options = ["--version", version, "--out", str(self.folder / "built"), *(["--key", str(key)] if key else [])]
        built = self.ok("release", "build", str(source), *options)
        return version, Path(built["archive"])

    def push(
        self,
        mode: str = "healthy",
        *,
        app: str = "web",
        version: str = "",
        toml: str = "",
        files: Mapping[str, str] = _NO_FILES,
    ) -> str:
        """The version of a new release, as `build`, that was pushed."""
        version, archive = self.build(mode, app=app, version=version, toml=toml, files=files)
        self.ok("release", "push", str(archive))
        return version

    def begin(self, version: str, *options: str, app: str = "web") -> str:
        """Start a rollout and return at once: its id."""
        ran = self.cli("deploy", app, version, "--yes", "--no-wait", "--json", *options)
        assert ran.exit == 0, ran
        started = json.loads(ran.out.splitlines()[-1])["started"]
        assert started["rollout"], ran
        return str(started["rollout"])

    def deploy(self, version: str, *options: str, app: str = "web") -> m.RolloutInfo:
        """Start a rollout, and wait until it ends or asks a person."""
        return self.ended(self.begin(version, *options, app=app))

    def ended(self, rollout: str) -> m.RolloutInfo:
        """The rollout once it has ended, or asks a person."""
        return self.until(rollout, lambda info: info.end or info.asked, what="the end")

    def until(self, rollout: str, seen: Callable[[m.RolloutInfo], object], *, what: str) -> m.RolloutInfo:
        """The rollout as soon as `seen` is true of it."""
        last: list[m.RolloutInfo] = []

        def look() -> bool:
            last[:] = [self.rollout(rollout)]
            return bool(seen(last[0]))

        try:
            eventually(look, what=f"{what} of {rollout}", within=WITHIN, every=0.1)
        except AssertionError as error:
            told = "\n".join(event.words for event in self.get(f"/rollouts/{rollout}/events", m.Events).events[-20:])
            raise AssertionError(f"{error}\n{last}\n{told}\n{self.words()}") from error
        return last[0]

    def rollout(self, rollout: str) -> m.RolloutInfo:
        return self.get(f"/rollouts/{rollout}", m.RolloutInfo)

    def app(self, app: str = "web") -> m.AppStatus:
        return next(one for one in self.get("/status", m.Status).apps if one.app == app)

    def told(self, host: str, app: str = "web") -> m.AppOnHost:
        """What the coordinator knows of one app on a host."""
        found = next(one for one in self.get("/hosts", m.Hosts).hosts if one.host == host)
        return next(one for one in found.apps if one.app == app)

    # The load balancer

    def places(self, app: str = "web") -> dict[str, str]:
        """HAProxy's word for each host: 'UP', 'DRAIN', 'MAINT', 'DOWN' …"""
        rows = csv.DictReader(self.haproxy.ask("show stat -1 4 -1").removeprefix("# ").splitlines())
        return {row["svname"]: row["status"] for row in rows if row["pxname"] == app}

    def in_service(self, app: str = "web") -> set[str]:
        return {host for host, place in self.places(app).items() if place.startswith("UP")}

    def load(self, app: str = "web", clients: int = 3, path: str = "/") -> KeepAliveLoad:
        """Clients that ask through HAProxy in a `with` block, and count what fails."""
        return KeepAliveLoad(self.ports[app], clients, path)

    # The whole

    def start(self) -> None:
        """Block until every agent is heard."""
        with ThreadPoolExecutor() as pool:
            parts = [pool.submit(host.supervisord.start) for host in self.hosts]
            parts += [pool.submit(self.haproxy.start), pool.submit(self._start_coordinator)]
            for part in parts:
                part.result()
        for app in self.ports:
            self.policy(app)
        for host in self.hosts:
            self.enroll(host)
            host.start_agent()
        self.all_heard()

    def enroll(self, host: FleetHost, *options: str) -> None:
        """Enroll it, with labels role=web and name=<its name>, and write its agent.toml."""
        labels = ("--label", "role=web", "--label", f"name={host.name}")
        reply = self.ok("enroll", host.name, *labels, *options)
        host.configure(reply["agent_toml"], reply["host_key"], self.haproxy.admin_socket)

    def close(self) -> None:
        for host in self.hosts:
            host.close()
        self.coordinator.kill()
        self.haproxy.stop()
        if self._line is not None:
            self._line.close()

    def at_rest(self) -> None:
        """Everything runs, nothing is under way, nobody is drained, and every host serves one good release of `web`."""
        self._all_run()
        for app in self.ports:
            self.policy(app)
            under_way = self.app(app).rollout
            if under_way:
                self.cli("abort", app)
                self.until(under_way, lambda info: info.end, what="the end")
        for host in self.get("/hosts", m.Hosts).hosts:
            if host.drained_by:
                self.ok("undrain", host.host)
        self._serve_something_good("web")

    def all_heard(self) -> None:
        """Wait until every agent has reported: before that nothing is deployed."""

        def heard() -> bool:
            hosts = self.get("/hosts", m.Hosts).hosts
            return len(hosts) >= len(self.hosts) and all(host.apps and host.silent < 12 for host in hosts)

        eventually(heard, what="a report of every agent", within=WITHIN, every=0.1)

    def _all_run(self) -> None:
        for file in (self.crash_file, *(host.crash_file for host in self.hosts)):
            file.unlink(missing_ok=True)
        process = self.coordinator.process
        if process is None or process.poll() is not None:
            self.coordinator.start()
        self.haproxy.start()
        for host in self.hosts:
            for app in host.apps.values():
                app.behave()
            host.supervisord.start()
            host.start_agent()
        self.all_heard()

    def _serve_something_good(self, app: str) -> None:
        current = self.app(app).current
        wanted = f"{current.version}" if current else ""
        calm = all(host.apps[app].answers == wanted != "" for host in self.hosts) and self._settled(app)
        if not calm:
            eventually(lambda: self._may_deploy(app), what=f"a fleet that can take {app}", within=WITHIN, every=0.2)
            end = self.deploy(self.push(app=app), app=app)
            assert end.end == "done", f"the fleet can't be brought to rest: {end.reason}\n{self.words()}"
        eventually(lambda: self._settled(app), what=f"{app} settled on every host", within=WITHIN, every=0.1)

    def _may_deploy(self, app: str) -> bool:
        """A host that was let back in is on its way for a moment, and no rollout begins meanwhile."""
        return all(self.told(host.name, app).phase == "settled" for host in self.hosts)

    def _settled(self, app: str) -> bool:
        told = [self.told(host.name, app) for host in self.hosts]
        good = all(one.in_service and one.healthy and one.phase == "settled" for one in told)
        return good and self.in_service(app) == {host.name for host in self.hosts}

    def words(self) -> str:
        """The last words of every process, for a test that failed."""
        told = [f"serve.log:\n{self.coordinator.log()[-3000:]}", f"haproxy: {self.haproxy.words()}"]
        told += [f"{host.name}:\n{host.agent_log()[-2000:]}" for host in self.hosts]
        return "\n".join(told)

    def _start_coordinator(self) -> None:
        user = self.broker_url.partition("//")[2].partition(":")[0]
        self.rabbitmq.ctl("add_vhost", self.vhost)
        self.rabbitmq.ctl("set_permissions", "-p", self.vhost, user, ".*", ".*", ".*")
        self.coordinator.start()

    def _haproxy_cfg(self) -> str:
        text = "global\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n"
        text += "  timeout server 30s\n  timeout check 5s\n  option httpchk GET /healthz\n"
        text += "  default-server inter 100ms fall 3 rise 1\n"
        for app, port in self.ports.items():
            text += f"frontend {app}\n  bind 127.0.0.1:{port}\n  default_backend {app}\nbackend {app}\n"
            text += "".join(f"  server {host.name} {host.apps[app].listen} check\n" for host in self.hosts)
        return text


@contextmanager
def running_fleet(
    rabbitmq: RabbitMQ, *, hosts: int = 2, apps: tuple[str, ...] = ("web", "api"), network: Network | None = None
) -> Iterator[Fleet]:
    """A fleet with empty servers: `at_rest` puts a first release on them. At the end nothing of it is left. With a
    `network` the coordinator and each host have a room of their own."""
    need("haproxy", "haproxy")
    # pytest's own folders are too deep for a unix socket.
    folder = Path(tempfile.mkdtemp(prefix="nd-fleet-"))
    with guarded(folder):
        made = Fleet(folder, rabbitmq, hosts, apps, network)
        try:
            try:
                made.start()
            except AssertionError as error:
                raise AssertionError(f"{error}\n{made.words()}") from error
            yield made
        finally:
            made.close()


class FleetKeeper:
    """Keeps one fleet over many tests, and replaces it when a test broke it for good."""

    def __init__(self, rabbitmq: RabbitMQ) -> None:
        self._rabbitmq = rabbitmq
        self._stack = ExitStack()
        self._fleet: Fleet | None = None

    def at_rest(self) -> Fleet:
        if self._fleet is not None:
            try:
                self._fleet.at_rest()
            except Exception as error:  # whatever it is: the next test must not suffer for the last one
                warnings.warn(f"The fleet is replaced: {error}", stacklevel=1)
                self.close()
            else:
                return self._fleet
        self._fleet = self._stack.enter_context(running_fleet(self._rabbitmq))
        self._fleet.at_rest()
        return self._fleet

    def close(self) -> None:
        self._fleet = None
        self._stack.close()


def lent(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet for one test: brought to rest before it, and its words told after it."""
    fleet.at_rest()
    yield fleet
    print(fleet.words())  # pytest shows it when the test failed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a fleet waits for its start, which takes minutes where every core is taken."""
    for item in items:
        if "fleet" in getattr(item, "fixturenames", ()) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def fleet_keeper(rabbitmq: RabbitMQ) -> Iterator[FleetKeeper]:
    with closing(FleetKeeper(rabbitmq)) as keeper:
        yield keeper


@pytest.fixture
def fleet(fleet_keeper: FleetKeeper) -> Iterator[Fleet]:
    found = fleet_keeper.at_rest()
    yield found
    print(found.words())  # pytest shows it when the test failed


def _port(url: str) -> int:
    return urlsplit(url).port or 5672


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)
