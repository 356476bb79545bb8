"""A host of the simulation: the fake host with an app that takes time, traffic, logs, an account of every effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from noonday_agent.core.journal import Attempt, Journal, Way
from noonday_agent.core.limits import Limits
from noonday_agent.core.result import Result
from noonday_agent.monitor import Monitor
from noonday_agent.probes.http import ProbeResult
from noonday_agent.runner import AppRunner
from noonday_shared.messages import Evidence
from noonday_shared.messages.evidence import Template
from support.fake_host import SETTINGS, FakeHost, MortalSteps
from support.virtual_clock import VirtualClock

_JOURNAL = TypeAdapter(Journal)


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that an agent did to its host: 'out', 'in', 'switch', 'restart' or 'hook', and why."""

    kind: str
    what: str
    way: Way
    generation: int


@dataclass
class Nature:
    """What one version does on every host. Seconds; records for each request."""

    healthy: bool = True
    warm_up: float = 2.0
    lies: bool = False
    """Its start leaves the old code up."""
    falls_ill_after: float = 0.0
    errors: dict[str, float] = field(default_factory=dict)


HARMLESS = Nature()


class WatchedSteps(MortalSteps):
    """Tells the host what each step changed."""

    watcher: SimulatedHost

    def execute(self, journal: Journal, *, recovered: bool, now: float, cancelled: Callable[[], bool]) -> Result:
        host, attempt = self.watcher, journal.attempt
        before = (host.place.let_in, host.process.restarts, host.releases.current, len(host.hooks_run))
        try:
            return super().execute(journal, recovered=recovered, now=now, cancelled=cancelled)
        finally:
            if attempt is not None:
                host.account(attempt, before)


class SimulatedHost(FakeHost):
    """`natures` is shared by the fleet; `noticed` is told every effect, before any rule is checked."""

    def __init__(
        self, name: str, clock: VirtualClock, limits: Limits, natures: dict[str, Nature], *, checked: bool
    ) -> None:
        """`checked`: the load balancer has a health check of its own."""
        self.natures = natures
        self.checked = checked
        self.noticed: Callable[[SimulatedHost, Effect], None] = lambda _host, _effect: None
        self.changed: Callable[[], None] = lambda: None
        self.started_at = 0.0
        self.passed: set[str] = set()
        self.out_cause = "before"
        self.broken = False
        self.epoch = 0
        self.counted_since = clock.now()
        self.requests = 0.0
        self.errors: dict[str, float] = {}
        super().__init__(name, clock, limits=limits)

    def agent(self) -> AppRunner:
        """A new agent; what the old one journalled comes back from the bytes that a disk would hold."""
        self.file.kept = _JOURNAL.validate_json(_JOURNAL.dump_json(self.file.kept))
        parts = self.parts()
        self.monitor = Monitor(SETTINGS, parts)
        steps = WatchedSteps(self.name, "web", SETTINGS, parts)
        steps.watcher = self
        self.steps = steps
        self.epoch = 0
        self._count_anew()
        self.runner = AppRunner(
            host=self.name,
            app="web",
            steps=steps,
            releases=self.releases,
            file=self.file,  # type: ignore[arg-type]  # same two verbs, in memory
            limits=self.limits,
            clock=self.clock,
            changed=self.changed,
            watcher=self,
        )
        return self.runner

    def adopt(self, release: str) -> None:
        """It serves `release` already, without Noonday ever having looked."""
        self.releases.current = self.running = release
        self.process.restart(1.0)
        self.started_at = self.clock.now() - 3600.0
        self.passed = {release}
        self.place.let_in = True
        self.out_cause = ""

    @property
    def nature(self) -> Nature:
        return self.natures.get(self.running_version) or HARMLESS

    @property
    def well(self) -> bool:
        if not self.process.up or not self.running or self.broken:
            return False
        nature, age = self.nature, self.clock.now() - self.started_at
        if not nature.healthy or age < nature.warm_up or 0 < nature.falls_ill_after <= age:
            return False
        return self.running_version not in self.sick

    @property
    def running_version(self) -> str:
        return self.running.rpartition("-")[0]

    @property
    def alive(self) -> bool:
        return self.process.up

    def health(self, path: str, timeout: float) -> ProbeResult:
        if self.well:
            self.passed = {self.running}
        return ProbeResult(self.well, 200 if self.well else 503, 0.001, "well" if self.well else "GET /: 503.")

    def start_by_itself(self) -> None:
        """As a process manager does when the app ended."""
        if self.alive or not self.releases.current:
            return
        reachable, self.process.reachable = self.process.reachable, True
        self.process.restart(1.0)
        self.process.reachable = reachable

    def pass_time(self, seconds: float, rate: float) -> None:
        """Customers come, the load balancer looks, the process manager starts what ended."""
        self.place.healthy = self.well or not self.checked
        if self.place.gets_requests and self.well:
            self.requests += rate * seconds
            for key, share in self.nature.errors.items():
                self.errors[key] = self.errors.get(key, 0.0) + rate * seconds * share

    def evidence(self, boot: int, seq: int) -> Evidence:
        now = self.clock.now()
        shown = {key: int(n) for key, n in sorted(self.errors.items()) if n >= 1}
        return Evidence(
            host=self.name, app="web", boot=boot, epoch=self.epoch, seq=seq, release=self.running,
            since=self.counted_since, sent_at=now, requests=int(self.requests), records=sum(shown.values()),
            statuses={"2xx": int(self.requests)},
            counts={key: (n, n) for key, n in shown.items()},
            templates=tuple(
                Template(key=key, level="ERROR", text=key, first_seen=self.counted_since) for key in shown
            ),
            started_at=self.started_at,
        )  # fmt: skip

    def restarting(self) -> None:
        self.monitor.restarting()

    def restarted(self, release: str) -> None:
        self.epoch += 1
        self._count_anew()

    def arrived(self) -> None:
        self.monitor.arrived()

    def account(self, attempt: Attempt, before: tuple[bool, int, str, int]) -> None:
        """Tell what the step of `attempt` changed since `before`."""
        let_in, restarts, current, hooks = before
        if self.place.let_in != let_in:
            kind = "in" if self.place.let_in else "out"
            by = "operator" if attempt.way is Way.LEAVE else "us"
            self.out_cause = by if kind == "out" else ""
            self._tell(kind, self.running, attempt)
        if self.releases.current != current:
            self._tell("switch", self.releases.current, attempt)
        if self.process.restarts != restarts:
            self.passed = set()
            self._tell("restart", self.running, attempt)
        for hook in self.hooks_run[hooks:]:
            self._tell("hook", hook, attempt)

    def _tell(self, kind: str, what: str, attempt: Attempt) -> None:
        self.noticed(self, Effect(kind, what, attempt.way, attempt.generation))

    def _count_anew(self) -> None:
        self.counted_since, self.requests, self.errors = self.clock.now(), 0.0, {}

    def _started(self, _pid: int) -> None:
        before = self.running
        version = self.releases.current.rpartition("-")[0]
        if not self.natures.get(version, Nature()).lies or not before:
            self.running = self.releases.current
        self.started_at = self.clock.now()
        if self.running != before:
            self.passed = set()
