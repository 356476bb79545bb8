"""The engine without its thread and bus: the real core and a real log, and a fleet that reports what a test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from noonday_coordinator.api.context import Context
from noonday_coordinator.capability import Capabilities
from noonday_coordinator.config import Broker, CoordinatorConfig, Http, Token, hash_token
from noonday_coordinator.core.coming_home import Homecoming, plan_reconcile
from noonday_coordinator.core.commands import Command, Deploy, Push
from noonday_coordinator.core.events import CoordinatorStarted, Event, HostEnrolled, HostReported, Record, Report
from noonday_coordinator.core.evolve import evolve
from noonday_coordinator.core.plan import Plan, plan_deploy
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import State
from noonday_coordinator.core.submit import submit
from noonday_coordinator.core.view import Judgement, View
from noonday_coordinator.store.artifacts import ArtifactStore
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.windows import WindowStore
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Outcome, Phase, Snapshot
from noonday_shared.names import ReleaseRef
from noonday_shared.release import ReleaseManifest
from support.fake_clock import FakeClock

TOKEN = "a-token-of-alice"
POLICY = 'app = "web"\nhosts = { role = "web" }\nexamine = 60\n'


class FakeEngine:
    def __init__(self, log: EventLog, clock: FakeClock) -> None:
        self.log = log
        self.clock = clock
        self.state = State()
        self.view = View(since=clock.now())
        self.trouble = ""
        self.strangers: Mapping[str, float] = {}
        self.doubles: Mapping[str, str] = {}
        self.notices: Mapping[str, tuple[str, ...]] = {}
        self.snapshots: Mapping[str, Snapshot] = {}
        self.raises: Exception | None = None
        self.keep(CoordinatorStarted(1))

    def submit(self, command: Command, by: str) -> tuple[Record, ...]:
        if self.raises is not None:
            raise self.raises
        return self.keep(*submit(self.state, self.view, command, now=self.clock.now(), by=by), by=by)

    def plan(self, command: Deploy) -> Plan:
        now, outage, supersede = self.clock.now(), command.allow_outage, command.supersede
        return plan_deploy(
            self.state, self.view, command.policy, command.version, now=now, allow_outage=outage, supersede=supersede
        )

    def plan_reconcile(self, policy: Policy) -> Homecoming:
        return plan_reconcile(self.state, self.view, policy, now=self.clock.now())

    def keep(self, *events: Event, by: str = "coordinator") -> tuple[Record, ...]:
        """Take these for facts."""
        records = self.log.append(events, at=self.clock.now(), by=by)
        for record in records:
            self.state = evolve(self.state, record)
        return records

    def serve(self, host: str, app: str, release: ReleaseRef | None) -> None:
        """The host is enrolled, heard just now, and reports that it serves `release`."""
        if host not in self.state.hosts:
            self.keep(HostEnrolled(host, {"role": app}, str(SigningKey.new().public)))
        report = Report(
            boot=1,
            seq=1,
            term=1,
            generation=0,
            outcome=Outcome.NONE,
            phase=Phase.SETTLED,
            live=release.id if release else "",
            proven=release,
            in_service=True,
            healthy=True,
        )
        self.keep(HostReported(host, app, report), by=host)
        self.hear(host)

    def hear(self, host: str, *, sent_at: float | None = None, notices: tuple[str, ...] = ()) -> None:
        now = self.clock.now()
        newest = Snapshot(host=host, boot=1, seq=1, sent_at=now if sent_at is None else sent_at, agent_version="0.1.0")
        self.snapshots = {**self.snapshots, host: newest}
        self.notices = {**self.notices, host: notices}
        self.view = replace(self.view, last_seen={**self.view.last_seen, host: now})

    def judge(self, rollout: str, judgement: Judgement) -> None:
        self.view = replace(self.view, judgements={**self.view.judgements, rollout: judgement})

    def push(self, version: str, app: str = "web") -> ReleaseRef:
        """As if an archive of this version had come."""
        ref = ReleaseRef(version=version, digest=(version.encode().hex() * 64)[:64])
        self.submit(Push(app, ref, 1000, ReleaseManifest(app=app, version=version)), "alice")
        return ref


@dataclass
class FakeBus:
    connected: bool = True
    trouble: str = ""


def make_context(folder: Path, clock: FakeClock, release_key: SigningKey) -> Context:
    """Everything that the API stands on, in `folder`; its engine is a `FakeEngine`. `close_context` afterwards."""
    config = CoordinatorConfig(
        data_dir=folder / "data",
        apps_dir=folder / "apps",
        release_keys=(str(release_key.public),),
        broker=Broker(url="amqp://guest:guest@127.0.0.1/"),
        http=Http(public_url="http://testserver"),
        tokens=(Token(name="alice", sha256=hash_token(TOKEN)), Token(name="bob", sha256=hash_token("bob's"))),
    )
    config.apps_dir.mkdir(parents=True)
    (config.apps_dir / "web.toml").write_text(POLICY)
    log = EventLog.open(config.data_dir / "events.sqlite")
    return Context(
        config=config,
        coordinator_key=SigningKey.new().public,
        engine=FakeEngine(log, clock),
        bus=FakeBus(),
        log=log,
        lines=LineBuffer(),
        windows=WindowStore.open(config.data_dir / "windows.sqlite"),
        catalogue=CatalogueStore.open(config.data_dir / "catalogue.sqlite"),
        artifacts=ArtifactStore(config.data_dir / "artifacts"),
        capabilities=Capabilities.kept_in(config.data_dir / "artifacts.secret", config.http.base_url),
        clock=clock,
    )


def close_context(context: Context) -> None:
    for store in (context.log, context.windows, context.catalogue):
        store.close()
