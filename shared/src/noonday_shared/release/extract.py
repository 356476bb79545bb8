"""Archives read with a count of what comes out, and unpacked so that nothing is written through a link."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from noonday_shared.release.members import Contents, check_members, refusal

_HEADERS = 256 << 20
"""Bytes of tar that are not file contents: headers and padding of the most members there may be."""
_LARGEST_READ = 1 << 20
_CHUNK = 1 << 16


def check_archive(archive: Path, *, limit: int) -> Contents:
    """Judge every member without unpacking any; `limit`: bytes of all files. Raises `BadInput`; safe to repeat."""
    with _opened(archive, limit) as tar:
        return _check(tar, limit)


def safe_extract(archive: Path, target: Path, *, limit: int, go_on: Callable[[], None] = lambda: None) -> Contents:
    """Check the whole archive, then unpack it into `target`, a new or empty folder.

    `go_on` is called between pieces and ends the work by raising. Raises `BadInput` for the archive and `OSError` for
    the disk; what was unpacked until then stays for the caller to remove. Nothing is flushed to disk.
    """
    with _opened(archive, limit) as tar:
        contents = _check(tar, limit)
        target.mkdir(exist_ok=True)
        target.chmod(0o755)
        _unpack(tar, contents, target, go_on)
    return contents


@contextmanager
def _opened(archive: Path, limit: int) -> Iterator[tarfile.TarFile]:
    try:
        with (
            _CountedGzip(archive, limit + _HEADERS) as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            yield tar
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise refusal("not-an-archive", archive.name, f"it is not a whole .tar.gz: {error}") from error


class _CountedGzip(gzip.GzipFile):
    """A reader that stops a bomb: by the bytes that really come out, and by the size of one read (long headers)."""

    def __init__(self, archive: Path, most: int) -> None:
        super().__init__(archive, "rb")
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0 or size > _LARGEST_READ:
            raise refusal("too-large", "a header", f"one header is larger than {_LARGEST_READ} bytes")
        data = super().read(size)
        if self.tell() > self._most:
            raise refusal("too-large", "the archive", f"more than {self._most} bytes come out of it")
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if offset > self._most:
            raise refusal("too-large", "the archive", f"it claims more than {self._most} bytes")
        return super().seek(offset, whence)


def _check(tar: tarfile.TarFile, limit: int) -> Contents:
    contents = check_members(tar, limit=limit)
    # To the very end, where gzip keeps its checksum.
    while tar.fileobj is not None and tar.fileobj.read(_CHUNK):
        pass
    return contents


def _unpack(tar: tarfile.TarFile, contents: Contents, target: Path, go_on: Callable[[], None]) -> None:
    symlinks: list[tuple[Path, str]] = []
    for parts, member in contents.members.items():
        go_on()
        path = target.joinpath(*parts)
        _make_folders(path if member.isdir() else path.parent, target)
        if member.issym():
            symlinks.append((path, member.linkname))
        elif member.islnk():
            os.link(target / member.linkname, path, follow_symlinks=False)
        elif member.isreg():
            _write(tar, member, path, go_on)
    # Last, so that no file can be written through one of them.
    for path, linkname in symlinks:
        path.symlink_to(linkname)


def _make_folders(folder: Path, target: Path) -> None:
    missing = []
    while folder != target and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir()
        path.chmod(0o755)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path, go_on: Callable[[], None]) -> None:
    """The file's time is now and not the archive's: equal times would give files of two releases equal ETags."""
    source = tar.extractfile(member)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb", buffering=0) as file:
        while source is not None and (chunk := source.read(_CHUNK)):
            _write_all(file, chunk)
            go_on()
        os.fchmod(file.fileno(), 0o755 if member.mode & 0o100 else 0o644)


def _write_all(file: io.FileIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]
