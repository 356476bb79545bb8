"""One web server that does not exist: disk, process manager, load balancer and app, for the agent's real runner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from noonday_agent.balancers.pool import Pool
from noonday_agent.config import App
from noonday_agent.core.journal import Journal, Stage
from noonday_agent.core.limits import Limits
from noonday_agent.core.result import Result
from noonday_agent.hooks import HookCall
from noonday_agent.parts import Parts
from noonday_agent.probes.http import ProbeResult
from noonday_agent.probes.proof import Proof, Seen, VersionAnswer
from noonday_agent.releases.layout import LiveKind, LiveTarget
from noonday_agent.runner import AppRunner
from noonday_agent.steps import Steps
from noonday_shared.clock import Clock
from noonday_shared.errors import BadInput, Permanent
from noonday_shared.messages import Assignment, Goal, Outcome
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import HookFiles, ReleaseManifest, SignedRelease
from support.fake_balancer import FakeBalancer, FakePlace
from support.fake_process import FakeProcess
from support.virtual_clock import VirtualClock

ROOT = Path("/srv/web")


def ref(version: str, digit: str = "a") -> ReleaseRef:
    return ReleaseRef(version=version, digest=digit * 64)


@dataclass
class FakeReleases:
    """What lies on the disk. `bad`: versions that can't be prepared, with the reason."""

    app: str = "web"
    folders: dict[str, SignedRelease] = field(default_factory=dict)
    current: str = ""
    bad: dict[str, str] = field(default_factory=dict)
    hooks: dict[str, HookFiles] = field(default_factory=dict)
    plain_folder: bool = False

    def live(self) -> LiveTarget:
        if not self.current:
            return LiveTarget(LiveKind.MISSING)
        return LiveTarget(LiveKind.LINK, self.current, ROOT / "releases" / self.current)

    def prepared(self) -> tuple[str, ...]:
        return tuple(self.folders)

    def manifest(self, release: str) -> SignedRelease:
        if release not in self.folders:
            raise Permanent(f"{release} is not here.", rule="not-prepared", next_action="deploy again")
        return self.folders[release]

    def folder(self, release: str) -> Path:
        return ROOT / "releases" / release

    def check(self) -> None:
        if self.plain_folder:
            raise Permanent("current is a plain folder.", rule="current-is-a-folder", next_action="move it")

    def switch(self, target: str) -> None:
        if target not in self.folders:
            raise Permanent(f"{target} is not here.", rule="not-prepared", next_action="deploy again")
        self.current = target

    def prune(self, protect: set[str]) -> tuple[str, ...]:
        doomed = tuple(one for one in self.folders if one not in protect and one != self.current)
        return doomed[:0]

    def prepare(
        self, app: str, release: ReleaseRef, source: str, *, within: float, cancelled: Callable[[], bool]
    ) -> None:
        self.check()
        if release.version in self.bad:
            raise BadInput(self.bad[release.version], rule="digest-mismatch", next_action="push it again")
        hooks = self.hooks.get(release.version, HookFiles())
        manifest = ReleaseManifest(app=app, version=release.version, hooks=hooks)
        self.folders[release.id] = SignedRelease(
            app=app, version=release.version, digest=release.digest, size=1, unpacked=1, manifest=manifest
        )


class MemoryJournal:
    """Keeps what was saved, also when the runner that saved it is thrown away."""

    def __init__(self, app: str = "web") -> None:
        self.kept = Journal(app)
        self.saves = 0

    def load(self) -> Journal:
        return self.kept

    def save(self, journal: Journal) -> None:
        self.kept = journal
        self.saves += 1


class Died(BaseException):
    """The agent was killed here. Not an Exception, so that nothing in it can survive it."""


class MortalSteps(Steps):
    """Steps that die once, at a stage, before or after its effect."""

    def die_at(self, stage: Stage, *, after: bool) -> None:
        self._doom: tuple[Stage, bool] | None = (stage, after)

    def live_on(self) -> None:
        self._doom = None

    def execute(self, journal: Journal, *, now: float, cancelled: Callable[[], bool]) -> Result:
        doom = getattr(self, "_doom", None)
        stage = journal.attempt.stage if journal.attempt else None
        if doom == (stage, False):
            raise Died
        result = super().execute(journal, now=now, cancelled=cancelled)
        if doom == (stage, True):
            raise Died
        return result


class FakeHost:
    """`sick`: versions that never become healthy. `liars`: versions whose restart leaves the old code up."""

    def __init__(self, name: str = "web-1", clock: VirtualClock | None = None, *, limits: Limits | None = None) -> None:
        self.name = name
        self.clock = clock or VirtualClock()
        self.build()
        self.sick: set[str] = set()
        self.liars: set[str] = set()
        self.bad_hooks: set[str] = set()
        self.hooks_run: list[str] = []
        self.running = ""
        self.restarted_into: list[str] = []
        self.history: list[str] = []
        self.limits = limits or Limits()
        self.runner = self.agent()

    def build(self) -> None:
        """What outlives an agent. A simulation has parts of its own."""
        self.place = FakePlace(let_in=False)
        self.process = FakeProcess(self.clock)
        self.process.on_start = self._started
        self.releases = FakeReleases()
        self.file = MemoryJournal()

    def agent(self) -> AppRunner:
        """A new agent on this host, as after a start of its service."""
        self.steps = MortalSteps(self.name, "web", SETTINGS, self.parts())
        self.runner = AppRunner(
            host=self.name,
            app="web",
            steps=self.steps,
            releases=self.releases,
            file=self.file,  # type: ignore[arg-type]  # same two verbs, in memory
            limits=self.limits,
            clock=self.clock,
            changed=self._note,
            watcher=self,
        )
        return self.runner

    def parts(self) -> Parts:
        return Parts(
            pool=Pool((FakeBalancer(self.place),)),
            process=self.process,
            releases=self.releases,
            prover=self,
            probe=self,
            run_hook=self._hook,
        )

    def turn(self) -> float:
        delay = self.runner.turn()
        self.clock.sleep(max(delay, 0.01))
        return delay

    def settle(self, within: float = 300.0) -> Journal:
        """Turn until there is nothing to do, or so many virtual seconds are over."""
        deadline = self.clock.now() + within
        while self.clock.now() < deadline:
            self.turn()
            if self.runner.journal.attempt is None and self.runner.journal.outcome is not Outcome.WORKING:
                break
        return self.runner.journal

    def turn_until(self, seen: Callable[[], bool]) -> None:
        for _ in range(5000):
            if seen():
                return
            self.turn()
        raise AssertionError(f"never seen; it is {self.runner.journal}")

    def serve_first(self, release: ReleaseRef) -> None:
        """Its first assignment: the agent brings it there itself."""
        self.runner.offer(assignment(self.clock, Goal.SERVING, release, generation=1))
        self.settle()
        assert self.serves == release.id

    @property
    def serves(self) -> str:
        """Id of the release that customers get from this host; empty when it gets no requests."""
        return self.running if self.place.gets_requests else ""

    def restarting(self) -> None:
        """The runner says so before each restart."""

    def restarted(self, release: str) -> None:
        self.restarted_into.append(release)

    def arrived(self) -> None:
        """The runner says so when the host is back."""

    # The prover's and the probe's verbs: the host is its own app.

    def started(self, pid: int) -> float | None:
        return float(pid)

    def seen(self, pid: int | None) -> Seen:
        return frozenset({(pid, float(pid))}) if pid else frozenset()

    def prove(self, pid: int | None, *, release_dir: Path, not_before: Seen) -> Proof:
        if self.seen(pid) & not_before:
            return Proof(False, f"pid {pid} ran before the restart.")
        return Proof(self.running == release_dir.name, f"it runs {self.running}.")

    def health(self, path: str, timeout: float) -> ProbeResult:
        version = self.running.rpartition("-")[0]
        well = self.process.pid() is not None and version not in self.sick
        return ProbeResult(well, 200 if well else 503, 0.001, "well" if well else "GET /: 503.")

    def version(self, path: str, timeout: float) -> VersionAnswer:
        return VersionAnswer(self.running.rpartition("-")[0], "")

    def _started(self, _pid: int) -> None:
        version = self.releases.current.rpartition("-")[0]
        if version not in self.liars:
            self.running = self.releases.current

    def _hook(self, call: HookCall) -> None:
        self.hooks_run.append(f"{call.hook} {call.release.version}")
        if call.file in self.bad_hooks:
            raise Permanent(f"Hook {call.hook} failed with 1.", rule="hook-failed", next_action="mend it")

    def _note(self) -> None:
        runner = getattr(self, "runner", None)
        if runner is not None:
            self.history.append(str(runner.journal.phase))


SETTINGS = App.model_validate(
    {
        "root": str(ROOT),
        "process": {"kind": "command", "restart": ["true"], "pid_file": "/run/web.pid"},
        "health": {"url": "http://127.0.0.1:1"},
    }
)


def assignment(
    clock: Clock,
    goal: Goal,
    release: ReleaseRef | None,
    *,
    generation: int,
    host: str = "web-1",
    previous: ReleaseRef | None = None,
    term: int = 1,
    deadline: float = 600.0,
    restart_for: str = "",
) -> Assignment:
    return Assignment(
        app="web",
        host=host,
        term=term,
        generation=generation,
        goal=goal,
        release=release,
        source="http://127.0.0.1/web.tar.gz" if release else "",
        previous=previous,
        rollout="r1",
        restart_for=restart_for,
        issued_at=clock.now(),
        expires_at=clock.now() + 900.0,
        deadline=deadline,
    )
