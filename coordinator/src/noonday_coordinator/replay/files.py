"""Folders of log files: which host wrote which, when they begin and end, and their lines with instants, streamed."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from noonday_coordinator.replay.holes import WithoutNuls, has_nuls
from noonday_coordinator.replay.stamps import Frame, Stamps, offset_in
from noonday_coordinator.replay.windows_of import Line
from noonday_shared.errors import BadInput
from noonday_shared.logs.access import is_request

LONGEST = 64 << 10
"""Bytes of a line that are read; the rest of it is left out."""
PER_SECOND = 10.0
"""Lines that are taken for a second of a log that tells no times."""
_HEAD = 256 << 10
_STAMPED = 0.2
"""Of the lines that begin a record; below it a stamp is chance."""
_ACCESS = 0.9
_SUFFIXES = frozenset({"", ".log", ".txt", ".out", ".err", ".json", ".jsonl"})
_ROTATED = re.compile(r"[.-](\d{1,4}|\d{8}(?:-?\d{1,6})?|\d{4}-\d\d-\d\d(?:[-_T.]?\d{1,6})?)$")
_CONTROL = bytes(set(range(32)) - {9, 10, 12, 13, 27})


@dataclass(frozen=True)
class LogFile:
    """One file, looked into. `first`, `last`: instants by its stamps, None when it has none. `lines`: counted only
    then, else 0. `zone`: what times without a zone were taken for."""

    path: Path
    first: float | None
    last: float | None
    access: bool
    lines: int = 0
    zone: int | None = None

    @property
    def family(self) -> str:
        """What a file and those that were rotated from it have in common."""
        return family_of(self.path.name)


@dataclass(frozen=True)
class HostFiles:
    """`families`: each a file after those rotated from it, oldest first."""

    name: str
    families: tuple[tuple[LogFile, ...], ...]

    @property
    def files(self) -> tuple[LogFile, ...]:
        return tuple(file for family in self.families for file in family)


@dataclass(frozen=True)
class Side:
    """One release's logs. `rule`: how hosts were told apart, in words; `left_out`: files that are none, in words."""

    path: Path
    hosts: tuple[HostFiles, ...]
    rule: str
    left_out: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[LogFile, ...]:
        return tuple(file for host in self.hosts for file in host.files)

    @property
    def stamped(self) -> bool:
        return any(file.first is not None for file in self.files)


def family_of(name: str) -> str:
    name = name.removesuffix(".gz")
    while (shorter := _ROTATED.sub("", name)) not in ("", name):
        name = shorter
    return name


def look(path: Path) -> Side:
    """What a folder (or a single file) holds. Raises `BadInput` when that is no log, or can't be read."""
    if path.is_file():
        return _side(path, {path.name: [path]}, "one file, taken for one host")
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise _unreadable(path, error) from error
    folders = {entry.name: sorted(entry.rglob("*")) for entry in entries if entry.is_dir() and _shown(entry)}
    folders = {name: found for name, files in folders.items() if (found := [one for one in files if one.is_file()])}
    direct = [entry for entry in entries if entry.is_file()]
    if folders:
        loose = tuple(f"{one.name} lies beside the hosts' folders" for one in direct if _shown(one))
        return _side(path, folders, "each subfolder is a host", loose)
    families: dict[str, list[Path]] = {}
    for one in direct:
        families.setdefault(Path(family_of(one.name)).stem or one.name, []).append(one)
    side = _side(path, families, "each file, with those rotated from it, is a host")
    kinds = {file.access for file in side.files}
    if kinds == {True, False}:
        # An access log and another log side by side are one server's.
        return _side(path, {path.resolve().name: direct}, "access and other logs side by side, so all are one host's")
    return side


def read(file: LogFile, spread: tuple[float, float] | None = None) -> Iterator[Line]:
    """The file's lines with their instants, oldest first. `spread`: for one without stamps, evenly over this time.

    Raises `BadInput` when it can't be read any more. A compressed file that ends early ends there.
    """
    stamps = Stamps(_frame(file.path, file.zone))
    if file.first is not None:
        for line in _lines(file.path):
            at = stamps.of(line)
            yield (file.first if at is None else at), line
        return
    begin, end = spread or (0.0, file.lines / PER_SECOND)
    for number, line in enumerate(_lines(file.path)):
        yield begin + (end - begin) * number / max(file.lines, 1), line


def _side(path: Path, hosts: Mapping[str, Sequence[Path]], rule: str, left_out: tuple[str, ...] = ()) -> Side:
    zone = _server_zone(one for paths in hosts.values() for one in paths)
    notes = list(left_out)
    found = []
    for name, paths in sorted(hosts.items()):
        files = [file for one in paths if (file := _looked_into(one, path, zone, notes)) is not None]
        if files:
            found.append(HostFiles(name, _families(files)))
    if not found:
        why = f" ({'; '.join(notes[:3])})" if notes else ""
        raise BadInput(
            f"{path} holds no log lines{why}.",
            rule="no-logs",
            next_action="give a folder with a log file or a subfolder for each host: *.log, *.log.1, *.gz",
        )
    return Side(path, tuple(found), rule, tuple(notes))


def _families(files: Sequence[LogFile]) -> tuple[tuple[LogFile, ...], ...]:
    families: dict[tuple[Path, str], list[LogFile]] = {}
    for file in files:
        families.setdefault((file.path.parent, file.family), []).append(file)
    return tuple(tuple(sorted(family, key=_age)) for _, family in sorted(families.items()))


def _age(file: LogFile) -> tuple[float, int, str]:
    """Oldest first: by stamps, else by the number that rotation gives, which grows with age."""
    number = _ROTATED.search(file.path.name.removesuffix(".gz"))
    rotation = int(number[1]) if number and len(number[1]) <= 4 and number[1].isdigit() else 0
    return (file.first if file.first is not None else 0.0, -rotation, file.path.name)


def _shown(path: Path) -> bool:
    return not path.name.startswith(".")


def _looked_into(path: Path, root: Path, zone: int | None, notes: list[str]) -> LogFile | None:
    """None for what is no log; `notes` gets the reason."""
    name = str(path.relative_to(root)) if path != root else path.name
    if not _shown(path):
        return None
    if path != root and Path(family_of(path.name)).suffix not in _SUFFIXES:
        notes.append(f"{name} is not named like a log")
        return None
    try:
        with closing(_open(path)) as raw:
            head = raw.read(_HEAD)
        if _has_nuls(path):
            notes.append(f"the NUL bytes in {name}")
        if not head.strip():
            notes.append(f"{name} is empty")
            return None
        if len(head.translate(None, _CONTROL)) < 0.95 * len(head):
            notes.append(f"{name} is binary")
            return None
        return _surveyed(path, head, zone)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
            notes.append(f"{name} is damaged: not whole, or not gzip")
            return None
        raise _unreadable(path, error) from error


def _surveyed(path: Path, head: bytes, zone: int | None) -> LogFile:
    lines = head.splitlines()[:1000]
    stamps = Stamps(_frame(path, zone))
    instants = [at for line in lines if (at := stamps.of(line)) is not None]
    access = sum(map(is_request, lines)) >= _ACCESS * len(lines)
    if not instants or stamps.share < _STAMPED:
        return LogFile(path, None, None, access, lines=sum(1 for _ in _lines(path)))
    for line in _tail(path):
        stamps.of(line)
    return LogFile(path, instants[0], max(stamps.last or 0.0, instants[0]), access, zone=zone)


def _tail(path: Path) -> list[bytes]:
    """The last lines: of a compressed file, and of one that ends with NULs, after reading all of it."""
    end = _end(path)
    if end and not has_nuls(end):
        return end.splitlines()[-1000:]
    with closing(_open(path)) as raw:
        last = before = b""
        try:
            while piece := raw.read(_HEAD):
                before, last = last, piece
        except (EOFError, zlib.error):
            pass  # it ends early, and what was read counts
        return (before + last).splitlines()[-1000:]


def _end(path: Path) -> bytes:
    """The last bytes as they lie there; none of a compressed file."""
    if path.suffix == ".gz":
        return b""
    with path.open("rb") as raw:
        raw.seek(max(path.stat().st_size - _HEAD, 0))
        return raw.read(_HEAD)


def _has_nuls(path: Path) -> bool:
    """At its beginning or its end, where those are that nobody wrote: in the middle of a line, one says nothing."""
    with closing(_open_as_it_is(path)) as raw:
        return has_nuls(raw.read(_HEAD)) or has_nuls(_end(path))


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with closing(_open(path)) as raw:
            yield from _cut(raw.readline)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return  # what came before the damage counts
    except OSError as error:
        raise _unreadable(path, error) from error


def _cut(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    while line := readline(LONGEST):
        more = line
        while more and not more.endswith(b"\n"):
            more = readline(LONGEST)
        yield line.rstrip(b"\r\n")


def _open(path: Path) -> BinaryIO:
    return BufferedReader(WithoutNuls(_open_as_it_is(path)), 1 << 18)


def _open_as_it_is(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return BufferedReader(gzip.open(path), 1 << 18)
    return path.open("rb", buffering=1 << 18)


def _frame(path: Path, zone: int | None) -> Frame:
    return Frame(path.stat().st_mtime, zone)


def _server_zone(paths: Iterable[Path]) -> int | None:
    """The zone of the servers' clocks, if access logs name it: other logs of theirs leave it out. None: not known."""
    found: set[int] = set()
    for path in paths:
        with suppress(OSError, EOFError, zlib.error), closing(_open(path)) as raw:
            lines = raw.read(4096).splitlines()[:5]
            found.update(offset for line in lines if is_request(line) and (offset := offset_in(line)) is not None)
    return found.pop() if len(found) == 1 else None


def _unreadable(path: Path, error: OSError) -> BadInput:
    reason = error.strerror or str(error)
    return BadInput(f"{path} can't be read: {reason}.", rule="unreadable", next_action=f"check {path} and its owner")
