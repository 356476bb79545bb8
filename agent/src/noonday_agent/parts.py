"""What a step works with: this host's world for one app, each part behind a protocol so that a test can stand in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from noonday_agent.balancers.pool import Pool
from noonday_agent.hooks import HookCall
from noonday_agent.probes.http import ProbeResult
from noonday_agent.probes.proof import Proof, Seen, VersionAnswer
from noonday_agent.processes.patience import Patience
from noonday_agent.processes.protocol import ProcessManager
from noonday_agent.releases.layout import LiveTarget
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import SignedRelease


class Releases(Protocol):
    """See `releases.store.ReleaseStore`."""

    def live(self) -> LiveTarget: ...
    def prepared(self) -> tuple[str, ...]: ...
    def manifest(self, release: str) -> SignedRelease: ...
    def folder(self, release: str) -> Path: ...
    def check(self) -> None: ...
    def switch(self, target: str) -> None: ...
    def prune(self, protect: set[str]) -> tuple[str, ...]: ...
    def prepare(
        self, app: str, ref: ReleaseRef, source: str, *, within: float, cancelled: Callable[[], bool]
    ) -> None: ...


class Prover(Protocol):
    """See `probes.running`."""

    def started(self, pid: int) -> float | None: ...
    def seen(self, pid: int | None) -> Seen: ...
    def prove(self, pid: int | None, *, release_dir: Path, not_before: Seen) -> Proof: ...


class AppProbe(Protocol):
    """See `probes.http.HttpProbe`."""

    def health(self, path: str, timeout: float) -> ProbeResult: ...
    def version(self, path: str, timeout: float) -> VersionAnswer: ...


@dataclass(frozen=True, slots=True)
class Parts:
    pool: Pool
    process: ProcessManager
    releases: Releases
    prover: Prover
    probe: AppProbe
    run_hook: Callable[[HookCall], object]
    patience: Patience = field(default_factory=Patience)
    """Of what `process` and `pool` wait for."""
    end_leftovers: Callable[[], None] = lambda: None
    """End what an agent before this one had started and did not see end, but for a restart. Blocks for seconds."""
