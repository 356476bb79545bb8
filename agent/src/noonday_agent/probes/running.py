"""Proof of running code, gathered: the app's processes and who answers on its port, as the Linux kernel tells it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from noonday_agent.probes.listening import sockets_answering
from noonday_agent.probes.proof import Proc, Proof, Seen, judge

_TICKS = os.sysconf("SC_CLK_TCK")
_MOST_WORDS = 200
_MOST_PROCESSES = 1000
_LISTED = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists()


def processes_of(pid: int | None) -> tuple[Proc, ...]:
    """The process and all below it; empty when it is gone. Takes milliseconds."""
    return tuple(proc for member in _tree(pid) if (proc := _look(member)))


def started(pid: int) -> float | None:
    """When the process started, or None when it is gone.

    Seconds since boot, read where psutil would add the time of day: two looks must agree to the last digit."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19]) / _TICKS


def seen(pid: int | None) -> Seen:
    """What to remember before a restart, and to give to `prove` after it. Keep it over a restart of the agent."""
    return frozenset((member, since) for member in _tree(pid) if (since := started(member)) is not None)


def prove(
    pid: int | None, *, release_dir: Path, releases_root: Path, not_before: Seen = frozenset(), url: str = ""
) -> Proof:
    """Whether the app whose main process is `pid` runs the code in `release_dir`, as far as can be seen now.

    `url`: where the app itself answers, as in `http://127.0.0.1:8001`; empty when unknown. Never raises. Ask again
    while an app is still being started, which may show nothing yet or its launcher's folder, and once more after it
    has become well: only then all of its processes and sockets are there.
    """
    tree = processes_of(pid)
    port, inodes = sockets_answering(url) if url else (0, frozenset[str]())
    listeners = _other_listeners(inodes, tree, not_before) if inodes else ()
    return judge(
        tree,
        listeners,
        release_dir=str(release_dir.resolve()),
        releases_root=str(releases_root.resolve()),
        not_before=not_before,
        port=port,
    )


def _tree(pid: int | None) -> tuple[int, ...]:
    if not pid:
        return ()
    found: list[int] = []
    open_ = [pid]
    while open_ and len(found) < _MOST_PROCESSES:
        found.append(open_.pop())
        open_ += _children(found[-1])
    return tuple(found)


def _children(pid: int) -> list[int]:
    """As the kernel lists them where it does: psutil looks at every process of the host instead."""
    found: list[str] = []
    with suppress(OSError, psutil.Error):
        if not _LISTED:
            return [process.pid for process in psutil.Process(pid).children()]
        for task in os.listdir(f"/proc/{pid}/task"):
            found += Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split()
    return [int(child) for child in found]


def _look(pid: int) -> Proc | None:
    """None when it is gone, a zombie, or another process by the time that everything was read."""
    since = started(pid)
    if since is None:
        return None
    cwd, readable = _link(pid, "cwd")
    exe, _ = _link(pid, "exe")
    proc = Proc(
        pid=pid,
        started=since,
        name=_name(pid),
        code=tuple(dict.fromkeys(place for place in (cwd, exe, *_mapped(pid)) if place)),
        files=tuple(target for target in _held(pid) if target.startswith("/")),
        words=tuple(_words(pid, cwd)),
        readable=readable,
    )
    return proc if started(pid) == since else None


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _link(pid: int, name: str) -> tuple[str, bool]:
    """Its target, with the kernel's ' (deleted)', and whether we may read it."""
    try:
        return os.readlink(f"/proc/{pid}/{name}"), True
    except PermissionError:
        return "", False
    except OSError:
        return "", True


def _mapped(pid: int) -> Iterator[str]:
    """Files mapped to be executed, each once."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        fields = (line.split(maxsplit=5) for line in lines)
        yield from dict.fromkeys(part[5] for part in fields if len(part) == 6 and "x" in part[1] and part[5][0] == "/")


def _held(pid: int) -> list[str]:
    """What its file descriptors are: paths, and words like `socket:[4711]`."""
    folder = f"/proc/{pid}/fd"
    held = []
    with suppress(OSError):
        for fd in os.listdir(folder):
            with suppress(OSError):
                held.append(os.readlink(f"{folder}/{fd}"))
    return held


def _words(pid: int, cwd: str) -> Iterator[str]:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:_MOST_WORDS]
        for word in words:
            path = os.path.join(cwd or "/", os.fsdecode(word).rpartition("=")[2])
            if b"/" in word:
                # A virtual environment's python is a link that leads out of the release: its own place counts too.
                yield os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
                yield os.path.realpath(path)


def _other_listeners(inodes: frozenset[str], tree: tuple[Proc, ...], not_before: Seen) -> tuple[Proc, ...]:
    """Who else answers: what ran before the restart, also on a socket that the app inherited; and strangers."""
    own = {proc.pid for proc in tree}
    survivors = [pid for pid, since in not_before if pid not in own and started(pid) == since]
    found = [pid for pid in survivors if inodes.intersection(_held(pid))]
    strange = inodes.difference(*(_held(pid) for pid in (*own, *found)))
    found += _holders(strange, [pid for pid in psutil.pids() if pid not in own]) if strange else []
    return tuple(proc for pid in found if (proc := _look(pid)))


def _holders(inodes: Iterable[str], pids: Iterable[int]) -> list[int]:
    """One process for each socket is enough; none for sockets that we may not look into."""
    left, found = set(inodes), []
    for pid in pids:
        shared = left.intersection(_held(pid))
        if shared:
            found.append(pid)
            left -= shared
        if not left:
            break
    return found
