"""A host of the simulation: disk, process manager, balancer and an app with traffic and logs, and an account of every
effect that an agent has on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from simulation.balancer import SimulatedBalancer
from simulation.clocks import LocalClock
from simulation.disk import JournalOnDisk, Kept, SimulatedReleases
from simulation.process import SimulatedProcess

from noonday_agent.balancers.pool import Pool
from noonday_agent.core.journal import Attempt, Journal, Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.core.result import Result
from noonday_agent.hooks import HookCall
from noonday_agent.monitor import Monitor
from noonday_agent.parts import Parts
from noonday_agent.probes.http import ProbeResult
from noonday_agent.processes.patience import Patience
from noonday_agent.runner import AppRunner
from noonday_shared.messages import Evidence, Goal
from noonday_shared.messages.evidence import Template
from noonday_shared.names import ReleaseRef
from support.fake_host import SETTINGS, Died, FakeHost, MortalSteps
from support.virtual_clock import VirtualClock


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
    hook_takes: float = 0.0


HARMLESS = Nature()


class SilentPool(Pool):
    """Balancers that count nothing need not be asked for it each second."""

    def traffic(self) -> dict[str, dict[str, int]]:
        return {}


class WatchedSteps(MortalSteps):
    """Remembers for which attempt the host is changed."""

    watcher: SimulatedHost

    def execute(self, journal: Journal, *, now: float, cancelled: Callable[[], bool]) -> Result:
        self.watcher.doing = journal.attempt
        try:
            result = super().execute(journal, now=now, cancelled=cancelled)
            self.watcher.left(journal.attempt)
            return result
        finally:
            if journal.attempt and journal.attempt.stage is self.watcher.fills_after:
                self.watcher.fill()


class SimulatedHost(FakeHost):
    """`natures` is shared by the fleet; `noticed` is told every effect at once, and `took` that it took an assignment
    up. Times of the app are the world's."""

    place: SimulatedBalancer  # type: ignore[assignment]  # same meaning, more mischief
    process: SimulatedProcess
    releases: SimulatedReleases
    file: JournalOnDisk

    def __init__(
        self, name: str, clock: VirtualClock, limits: Limits, natures: dict[str, Nature], *, checked: bool
    ) -> None:
        """`checked`: the load balancer has a health check of its own."""
        self.natures = natures
        self.checked = checked
        self.world_clock = clock
        self.local = LocalClock(clock)
        self.noticed: Callable[[SimulatedHost, Effect], None] = lambda _host, _effect: None
        self.took: Callable[[SimulatedHost], None] = lambda _host: None
        self.changed: Callable[[], None] = lambda: None
        self.doing: Attempt | None = None
        self.started_at = 0.0
        self.passed: set[str] = set()
        self.out_cause = "before"
        self.out_at = 0.0
        self.broken = False
        self.fills_after: Stage | None = None
        """The stage after which `fill` is called."""
        self.fill: Callable[[], None] = lambda: None
        self.powered = True
        self.tended = False
        """Whether an agent lives here."""
        self.boot = 0
        self.epoch = 0
        self.requests = 0.0
        self.errors: dict[str, float] = {}
        self._nature = HARMLESS
        self._counted_since = clock.now()
        super().__init__(name, self.local, limits=limits)  # type: ignore[arg-type]  # the verbs of a clock

    def build(self) -> None:
        self.place = SimulatedBalancer(self.local)
        self.place.changed = self._let
        self.patience = Patience()
        self.process = SimulatedProcess(self.local, self.patience)
        self.process.on_start = self._started
        self.process.restarting = lambda: self._act("restart", self.releases.current)
        self.releases = SimulatedReleases(self.local)
        self.releases.switched = lambda target: self._act("switch", target)
        self.file = JournalOnDisk()

    def agent(self) -> AppRunner:
        """A new agent; what the old one journalled comes back from the bytes that a disk holds. Raises `Permanent`."""
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
            clock=self.local,
            changed=self.changed,
            watcher=self,
        )
        return self.runner

    def parts(self) -> Parts:
        return replace(super().parts(), pool=SilentPool((self.place,)), patience=self.patience)

    def adopt(self, release: str) -> None:
        """It serves `release` already, without Noonday ever having looked."""
        self.releases.current = release
        self.process.boot()
        self.started_at = self.world_clock.now() - 3600.0
        self.passed = {release}
        self.place.adopt()
        self.out_cause = ""

    @property
    def full(self) -> bool:
        """Whether its disk is."""
        return self.file.full

    @full.setter
    def full(self, full: bool) -> None:
        self.file.full = self.releases.full = full

    @property
    def well(self) -> bool:
        if not self.process.up or not self.running or self.broken:
            return False
        nature = self._nature
        age = self.world_clock.now() - self.started_at
        if not nature.healthy or age < nature.warm_up or 0 < nature.falls_ill_after <= age:
            return False
        return not self.sick or self.running_version not in self.sick

    @property
    def serves_well(self) -> bool:
        return self.place.gets_requests and self.well

    def has_hope(self, record: ReleaseRef | None) -> bool:
        """Whether any release that it may be told to serve can ever be well here: of those unpacked, or that of record
        where none was proven here yet, since others may be unpacked that were never served anywhere."""
        versions = {name.rpartition("-")[0] for name in self.releases.folders}
        if record is not None and self.file.kept.proven is None:
            versions &= {record.version}
        return any(one not in self.sick and self.natures.get(one, HARMLESS).healthy for one in versions)

    @property
    def nature(self) -> Nature:
        return self._nature

    @property
    def running_version(self) -> str:
        return self.running.rpartition("-")[0]

    def health(self, path: str, timeout: float) -> ProbeResult:
        well = self.well
        if well:
            self.passed = {self.running}
        return ProbeResult(well, 200 if well else 503, 0.001, "well" if well else "GET /: 503.")

    def start_by_itself(self) -> None:
        """As a process manager does when the app ended, or the machine started."""
        if self.powered and not self.process.up and self.releases.current:
            self.process.boot()

    def pass_time(self, seconds: float, rate: float, longest: float) -> None:
        """Customers come, the load balancer looks. `longest`: seconds that the longest request takes."""
        well = self.well
        self.place.healthy = well or not self.checked
        if well and self.place.gets_requests:
            self.place.busy_until = self.world_clock.now() + longest
            self.requests += rate * seconds
            for key, share in self._nature.errors.items():
                self.errors[key] = self.errors.get(key, 0.0) + rate * seconds * share

    def evidence(self, boot: int, seq: int) -> Evidence:
        shown = {key: int(n) for key, n in sorted(self.errors.items()) if n >= 1}
        since = self._counted_since

        def told(instant: float) -> float:
            # A world begins near the epoch, and before it there is no instant.
            return max(instant + self.local.offset, 0.0)

        return Evidence(
            host=self.name, app="web", boot=boot, epoch=self.epoch, seq=seq, release=self.running,
            since=told(since), sent_at=self.local.now(), counted_for=self.world_clock.now() - since,
            requests=int(self.requests), records=sum(shown.values()), statuses={"2xx": int(self.requests)},
            counts={key: (n, n) for key, n in shown.items()},
            templates=tuple(Template(key=key, level="ERROR", text=key, first_seen=told(since)) for key in shown),
            started_at=told(self.started_at),
        )  # fmt: skip

    def backup(self) -> Kept:
        return Kept(self.file.kept, self.boot, dict(self.releases.folders), self.releases.current)

    def restore(self, kept: Kept) -> None:
        """The disk is as it was. The app, if it ran, is still the old one."""
        self.file.kept, self.boot = kept.journal, kept.boot
        self.releases.folders, self.releases.current = dict(kept.folders), kept.current

    def restarting(self) -> None:
        self.monitor.restarting()

    def restarted(self, release: str) -> None:
        self.epoch += 1
        self._count_anew()

    def arrived(self) -> None:
        self.monitor.arrived()

    def left(self, attempt: Attempt | None) -> None:
        """One that was out because of us, and that an operator drains, is out because of him from then on."""
        if attempt is not None and attempt.way is Way.LEAVE and self.out_cause == "us":
            self.out_cause = "operator"

    def _let(self, kind: str) -> None:
        wanted = self.runner.journal
        drained = wanted.attempt is None and wanted.assignment is not None and wanted.assignment.goal is Goal.OUT
        operator = drained or (self.doing is not None and self.doing.way is Way.LEAVE)
        self.out_cause = "" if kind == "in" else "operator" if operator else "us"
        self.out_at = self.world_clock.now()
        self._act(kind, self.running)

    def _act(self, kind: str, what: str) -> None:
        doing = self.doing or Attempt(Way.FORWARD, 0, Stage.DRAIN, 0.0, 0.0)
        if kind == "restart":
            self.passed = set()
        self.noticed(self, Effect(kind, what, doing.way, doing.generation))

    def _hook(self, call: HookCall) -> None:
        self._act("hook", f"{call.hook} {call.release.version}")
        takes = self.natures.get(call.release.version, HARMLESS).hook_takes
        if takes:
            self.local.sleep(takes)
        super()._hook(call)

    def _count_anew(self) -> None:
        self._counted_since, self.requests, self.errors = self.world_clock.now(), 0.0, {}

    def _started(self, _pid: int) -> None:
        before = self.running
        version = self.releases.current.rpartition("-")[0]
        if not self.natures.get(version, HARMLESS).lies or not before:
            self.running = self.releases.current
        self._nature = self.natures.get(self.running_version, HARMLESS)
        self.started_at = self.world_clock.now()
        if self.running != before:
            self.passed = set()


__all__ = ["Died", "Effect", "Nature", "SimulatedHost"]
