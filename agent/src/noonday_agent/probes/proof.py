"""Whether an app's processes run the code of one release: decided from what was seen of them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_DELETED = " (deleted)"

Seen = frozenset[tuple[int, float]]
"""(pid, started) of processes: what to remember before a restart."""


@dataclass(frozen=True, slots=True)
class Proc:
    """What the kernel tells of one process. All paths are real ones, with ' (deleted)' behind them where it says so.

    `started`: seconds since boot, so that a clock that is set changes nothing.
    `code`: working folder, executable, and files mapped to be executed. `files`: files held open.
    `words`: paths in its command line, resolved now: they may speak against a release, never for it.
    """

    pid: int
    started: float
    name: str = ""
    code: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    readable: bool = True

    @property
    def id(self) -> tuple[int, float]:
        return self.pid, self.started

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.name})" if self.name else f"pid {self.pid}"


@dataclass(frozen=True, slots=True)
class Proof:
    """`ok`: True proven, False disproven, None when nothing speaks for or against: then only a version endpoint can
    tell (`confirm`). `reason`: a sentence. `pids`: the app's processes, or the ones that speak against it."""

    ok: bool | None
    reason: str
    pids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionAnswer:
    """`version`: what the app's endpoint answered, or None with `text`, a sentence why there is none."""

    version: str | None
    text: str


def judge(
    tree: Sequence[Proc],
    listeners: Sequence[Proc] = (),
    *,
    release_dir: str,
    releases_root: str,
    not_before: Seen = frozenset(),
    port: int = 0,
) -> Proof:
    """`tree`: the app's main process and all below. `listeners`: others that answer on the app's `port`. Pure.

    `release_dir` lies directly in `releases_root`; both are real paths.
    """
    case = _Case(PurePosixPath(releases_root), PurePosixPath(release_dir).name, not_before, port)
    against = case.old_process(tree) or case.old_listener(listeners) or case.elsewhere(tree)
    if against:
        return against
    unclear = case.stranger(listeners)
    if unclear:
        return unclear
    return case.here(tree)


def confirm(proof: Proof, *, wanted: str, answer: VersionAnswer | None) -> Proof:
    """`proof` together with what the version endpoint said; None when the release names no endpoint. Never `ok` None.

    A wrong answer disproves what the processes seemed to prove; a right one can't mend what they disprove.
    """
    if proof.ok is False:
        return proof
    if answer is None:
        hint = " Name a version_endpoint in release.toml, so that the app itself can tell."
        return proof if proof.ok else Proof(False, proof.reason + hint, proof.pids)
    if answer.version == wanted:
        return Proof(True, f"The app answers that it is {wanted}. {proof.reason}", proof.pids)
    said = f"The app answers that it is {answer.version}, not {wanted}." if answer.version else answer.text
    return Proof(False, said, proof.pids)


@dataclass(frozen=True, slots=True)
class _Case:
    root: PurePosixPath
    release: str
    not_before: Seen
    port: int

    def old_process(self, tree: Sequence[Proc]) -> Proof | None:
        if not tree:
            return Proof(False, "No process of the app runs.")
        old = [proc for proc in tree if proc.id in self.not_before]
        if not old:
            return None
        return _against(old, f"{_name(old)} ran before the restart already.")

    def old_listener(self, listeners: Sequence[Proc]) -> Proof | None:
        old = [proc for proc in listeners if proc.id in self.not_before]
        if old:
            return _against(
                old, f"{_name(old)} started before the switch and still {_do(old, 'answer')} on port {self.port}."
            )
        for proc in listeners:
            other = self._other_release(proc)
            if other:
                return _against([proc], f"{proc} runs from {other} and answers on port {self.port}.")
        return None

    def elsewhere(self, tree: Sequence[Proc]) -> Proof | None:
        for proc in tree:
            other = self._other_release(proc)
            if other:
                return _against([proc], f"{proc} runs from {other}, not from {self.release}.")
        return None

    def stranger(self, listeners: Sequence[Proc]) -> Proof | None:
        if not listeners:
            return None
        who = f"{_name(listeners)} {_do(listeners, 'answer')} on port {self.port} without being a process of the app"
        return Proof(None, f"{who}, so it can't be told which code is behind it.", _pids(listeners))

    def here(self, tree: Sequence[Proc]) -> Proof:
        at_home = [proc for proc in tree if self.release in self._shown(proc)]
        if at_home:
            return Proof(True, f"{_name(at_home)} {_do(at_home, 'run')} from {self.release}.", _pids(tree))
        hidden = [proc for proc in tree if not proc.readable]
        if hidden:
            return Proof(None, f"The agent may not see where {_name(hidden)} {_do(hidden, 'run')} from.", _pids(tree))
        return Proof(None, f"Nothing shows from which release {_name(tree)} took its code.", _pids(tree))

    def _other_release(self, proc: Proc) -> str:
        """The other release folder that the process runs from, or ''."""
        for place in proc.code:
            release = self._release_of(place)
            if release and place.endswith(_DELETED):
                return f"a deleted copy of {release}"
            if release and release != self.release:
                return release
        named = [release for word in proc.words if (release := self._release_of(word)) not in ("", self.release)]
        if named:
            return named[0]
        # An open file of another release is data, perhaps; where nothing else is known of the process it counts.
        shown = self._shown(proc)
        return min(shown) if shown and self.release not in shown else ""

    def _shown(self, proc: Proc) -> set[str]:
        files = (file for file in proc.files if not file.endswith(_DELETED))
        return {release for place in (*proc.code, *files) if (release := self._release_of(place))}

    def _release_of(self, place: str) -> str:
        path = PurePosixPath(place.removesuffix(_DELETED))
        if self.root not in path.parents:
            return ""
        return path.relative_to(self.root).parts[0]


def _against(procs: Sequence[Proc], reason: str) -> Proof:
    return Proof(False, reason, _pids(procs))


def _pids(procs: Iterable[Proc]) -> tuple[int, ...]:
    return tuple(proc.pid for proc in procs)


def _name(procs: Sequence[Proc]) -> str:
    more = f" and {len(procs) - 1} more" if len(procs) > 1 else ""
    return f"{procs[0]}{more}"


def _do(procs: Sequence[Proc], verb: str) -> str:
    return verb if len(procs) > 1 else f"{verb}s"
