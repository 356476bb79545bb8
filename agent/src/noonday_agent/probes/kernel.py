"""The prover of one app: what `running` gathers, bound to where its releases lie and where it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noonday_agent.probes import running
from noonday_agent.probes.proof import Proof, Seen


@dataclass(frozen=True, slots=True)
class KernelProver:
    """`url`: where the app itself answers. See `running` for the contracts."""

    releases_root: Path
    url: str

    def started(self, pid: int) -> float | None:
        return running.started(pid)

    def seen(self, pid: int | None) -> Seen:
        return running.seen(pid)

    def prove(self, pid: int | None, *, release_dir: Path, not_before: Seen) -> Proof:
        return running.prove(
            pid, release_dir=release_dir, releases_root=self.releases_root, not_before=not_before, url=self.url
        )
