"""`agent.toml`: how this server stops, starts, drains, checks and logs its apps. Owned by root on the host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from noonday_agent.evidence.prometheus import read_series_name
from noonday_shared.config import Settings, load_toml
from noonday_shared.errors import BadInput
from noonday_shared.keys import PublicKey
from noonday_shared.names import AppName, HostName

Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _key(text: str) -> str:
    try:
        PublicKey.parse(text)
    except BadInput as error:
        raise ValueError(str(error)) from error
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


KeyText = Annotated[str, AfterValidator(_key)]
Pattern = Annotated[str, AfterValidator(_pattern)]


class Broker(Settings):
    """RabbitMQ, dialled out to."""

    url: str = Field(pattern=r"^amqps?://", description="amqp:// or amqps:// with user, password, host and vhost")
    ca_file: Path | None = Field(default=None, description="CA of an amqps broker; the system's when absent")


class Trust(Settings):
    """The keys pinned on this host; nothing signed by another has any effect."""

    coordinator: KeyText = Field(description="public key that must sign assignments")
    releases: tuple[KeyText, ...] = Field(min_length=1, description="public keys that may sign releases")
    host_key_file: Path = Field(description="this host's private key, made by 'noonday enroll', mode 0600")


class HaproxyBalancer(Settings):
    """HAProxy's runtime API. Needs `stats socket … level admin` in haproxy.cfg."""

    kind: Literal["haproxy"] = Field(description="which kind of balancer this is")
    address: str = Field(pattern=r"^(.*/.*|.+:[0-9]{1,5})$", description="path of the unix socket, or host:port")
    backend: str = Field(pattern=r"^[A-Za-z0-9_.:-]+$", description="as in haproxy.cfg")
    server: str = Field(pattern=r"^[A-Za-z0-9_.:-]+$", description="this host's line in that backend")
    timeout: Seconds = Field(default=5.0, description="for one question to HAProxy")


class EndpointBalancer(Settings):
    """Any balancer that polls HTTP: the agent answers 200 when this app is in service, 503 when it is out."""

    kind: Literal["endpoint"] = Field(description="which kind of balancer this is")
    listen: str = Field(
        pattern=r"^.+:[0-9]{1,5}$", description="host:port the agent listens on, alone for this balancer"
    )
    settle: Seconds = Field(default=10.0, description="time in which the balancer surely has polled and acted")


class FileBalancer(Settings):
    """Any balancer that polls the presence of a file, through the web server."""

    kind: Literal["file"] = Field(description="which kind of balancer this is")
    path: Path = Field(description="the file that the balancer asks for; the agent makes and removes it")
    present: Literal["in", "out"] = Field(default="in", description="what the file's presence means")
    settle: Seconds = Field(default=10.0, description="time in which the balancer surely has polled and acted")


class CommandBalancer(Settings):
    """Commands of the host's owner. `in_service` and `idle` answer by exit status: 0 yes, 1 no, others fail."""

    kind: Literal["command"] = Field(description="which kind of balancer this is")
    take_out: tuple[str, ...] = Field(min_length=1, description="asks for no new requests; may be run again")
    put_back: tuple[str, ...] = Field(min_length=1, description="asks for requests again; may be run again")
    in_service: tuple[str, ...] = Field(min_length=1, description="whether new requests come")
    idle: tuple[str, ...] = Field(min_length=1, description="whether it is out and nothing is under way")
    timeout: Seconds = Field(default=30.0, description="for one command with all that it starts")


BalancerSettings = Annotated[
    HaproxyBalancer | EndpointBalancer | FileBalancer | CommandBalancer, Field(discriminator="kind")
]


class SupervisordProcess(Settings):
    """supervisord's XML-RPC over its unix socket (`[unix_http_server]`)."""

    kind: Literal["supervisord"] = Field(description="which process manager this is")
    socket: Path = Field(description="`file` of [unix_http_server]")
    program: str = Field(description="program, or group:program")
    username: str = Field(default="", description="of [unix_http_server], when it has one")
    password: str = Field(default="", description="of [unix_http_server], when it has one")
    timeout: Seconds = Field(default=10.0, description="for one call")


class SystemdProcess(Settings):
    """A systemd service, asked through systemctl."""

    kind: Literal["systemd"] = Field(description="which process manager this is")
    unit: str = Field(pattern=r"^[A-Za-z0-9:_.@-]+\.service$", description="its whole name, as in web.service")
    timeout: Seconds = Field(default=10.0, description="for one systemctl call that only asks")


class CommandProcess(Settings):
    """Commands of the host's owner. The main process is the one in `pid_file`."""

    kind: Literal["command"] = Field(description="which process manager this is")
    restart: tuple[str, ...] = Field(min_length=1, description="stops the app, if it runs, and starts it")
    pid_file: Path = Field(description="holds the id of the app's main process, once it was started")


ProcessSettings = Annotated[SupervisordProcess | SystemdProcess | CommandProcess, Field(discriminator="kind")]


class Health(Settings):
    """How the app says that it is well. A release may name its own paths in release.toml."""

    url: str = Field(pattern=r"^https?://[^/]+$", description="the app itself on this host, not through the balancer")
    path: str = Field(default="/", pattern=r"^/", description="answers 2xx when the app is well")
    timeout: Seconds = Field(default=2.0, description="for one request")
    within: Seconds = Field(default=60.0, description="for the new code to be seen, and again to be well")
    successes: int = Field(default=2, ge=1, le=100, description="good answers in a row that count as well")
    every: Seconds = Field(default=5.0, description="between probes while nothing is changing")


class Drain(Settings):
    """What is waited for between taking the app out and stopping it."""

    idle_within: Seconds = Field(default=30.0, description="for requests under way to end")
    on_busy: Literal["proceed", "give-up"] = Field(
        default="proceed",
        description="when requests are still under way then: restart anyway, or put the server back and fail",
    )


class LogFile(Settings):
    """A log of the app, followed over rotation and truncation. Read for records and for requests."""

    path: Path = Field(description="the file; it may come later")
    kind: Literal["auto", "access"] = Field(
        default="auto",
        description="'access': one request a line, with a status; 'auto': each line is what it looks like",
    )


class JournalLog(Settings):
    """What a systemd unit logs to the journal. The agent's user needs to be in the group systemd-journal."""

    kind: Literal["journald"] = Field(description="read by a journalctl that follows the unit")
    unit: str = Field(pattern=r"^[A-Za-z0-9:_.@\\-]+$", description="its whole name, as in web.service")


def _log_kind(given: object) -> str:
    kind = given.get("kind") if isinstance(given, Mapping) else getattr(given, "kind", "")
    return "journald" if kind == "journald" else "file"


LogSettings = Annotated[
    Annotated[LogFile, Tag("file")] | Annotated[JournalLog, Tag("journald")], Discriminator(_log_kind)
]


def _series(text: str) -> str:
    read_series_name(text)
    return text


class Metrics(Settings):
    """Numbers that the app tells of itself in Prometheus' text format, taken as gauges while it is looked at."""

    url: str = Field(default="", pattern=r"^$|^https?://[^/]+$", description="where; health.url when empty")
    path: str = Field(default="/metrics", pattern=r"^/", description="what to ask for there")
    series: tuple[Annotated[str, AfterValidator(_series)], ...] = Field(
        min_length=1,
        max_length=32,
        description="names, as in 'queue_depth' or 'jobs_total{queue=\"mail\"}'; what fits one name is added up",
    )
    timeout: Seconds = Field(default=2.0, description="for one request")


class Hooks(Settings):
    """The release's hooks run as `user`, each with `within` seconds for its whole process group."""

    user: str = Field(default="", description="empty: the agent's own user")
    within: Seconds = Field(default=60.0, description="for one hook and all that it starts")


class App(Settings):
    """One app on this host, under the name that the coordinator knows it by."""

    root: Path = Field(description="holds releases/, current and shared/")
    process: ProcessSettings = Field(description="what restarts the app")
    balancers: tuple[BalancerSettings, ...] = Field(default=(), description="out of all before the stop, back into all")
    health: Health = Field(description="how the app says that it is well")
    drain: Drain = Field(default=Drain(), description="how long requests under way are waited for")
    restart_within: Seconds = Field(default=60.0, description="for the app to stop and start")
    return_within: Seconds = Field(default=60.0, description="for the balancers to report the server in service again")
    logs: tuple[LogSettings, ...] = Field(default=(), description="what is read for records and requests")
    metrics: Metrics | None = Field(default=None, description="numbers that the app tells of itself")
    hooks: Hooks = Field(default=Hooks(), description="how hooks of a release are run")
    keep: int = Field(default=5, ge=2, description="releases kept on disk beside the live one")
    redact: tuple[Pattern, ...] = Field(default=(), description="masked in every log line before it leaves the host")
    max_unpacked: int = Field(default=4 << 30, gt=0, description="bytes that a release may take on disk")

    @model_validator(mode="after")
    def _balancers_settle_in_time(self) -> Self:
        for balancer in self.balancers:
            settle = getattr(balancer, "settle", 0.0)
            for name, limit in (("drain.idle_within", self.drain.idle_within), ("return_within", self.return_within)):
                if settle >= limit:
                    kind = f"settle = {settle:g} of the {balancer.kind} balancer"
                    raise ValueError(f"{kind} must be less than {name} = {limit:g}, or it is given up on too early")
        return self


class AgentConfig(Settings):
    """The whole file. Write whole paths: others are relative to the folder that the agent was started in."""

    host: HostName = Field(description="this host's name, as it was enrolled")
    state_dir: Path = Field(
        default=Path("/var/lib/noonday-agent"), description="the agent's journal, downloads and markers; its own alone"
    )
    broker: Broker = Field(description="the way to the coordinator")
    trust: Trust = Field(description="whose word counts here")
    apps: dict[AppName, App] = Field(min_length=1, description="one table for each app, by its name")

    @model_validator(mode="after")
    def _roots_differ(self) -> Self:
        roots = [app.root for app in self.apps.values()]
        if len(set(roots)) != len(roots):
            raise ValueError("two apps have the same root; each app needs a folder of its own")
        return self


def load(path: Path) -> AgentConfig:
    """Raises `BadInput` with the key's path and the nearest known key."""
    return load_toml(path, AgentConfig)
