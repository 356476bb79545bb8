"""A folder made into a release: an archive with the same bytes every time, and the manifest that signs it."""

from __future__ import annotations

import gzip
import io
import os
import secrets
import stat
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from noonday_shared.config import parse_toml
from noonday_shared.envelope import seal
from noonday_shared.errors import BadInput
from noonday_shared.files import sync_folder, write_whole
from noonday_shared.keys import SigningKey
from noonday_shared.release.extract import check_archive
from noonday_shared.release.folder import release_files
from noonday_shared.release.manifest import FILE_NAME, KIND, ReleaseManifest, SignedRelease
from noonday_shared.release.members import refusal
from noonday_shared.release.signed import SUFFIX, digest_of

LARGEST_RELEASE = 4 << 30
"""Bytes of all files in a release, unless a caller says otherwise; the agent's default too."""
_MTIME = 315_532_800
"""1980-01-01, fixed: the archive depends on what the files hold, not on when they were checked out."""


@dataclass(frozen=True, slots=True)
class BuiltRelease:
    archive: Path
    manifest: Path
    signed: SignedRelease


def build_archive(
    folder: Path, *, version: str, out_dir: Path, key: SigningKey, limit: int = LARGEST_RELEASE
) -> BuiltRelease:
    """Write `<app>-<version>-<digest8>.tar.gz` and its signed manifest into `out_dir`; `limit`: bytes of all files.

    The same files give the same bytes. Raises `BadInput` for a folder that makes no release. May be repeated; nothing
    half-written is left under a final name.
    """
    toml, manifest = _release_toml(folder, version)
    files = release_files(folder, leave_out=out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    draft = out_dir / f".{manifest.app}.{secrets.token_hex(4)}.new"
    try:
        _write_archive(draft, folder, files, toml)
        signed = _describe(draft, limit)
        archive = out_dir / f"{signed.app}-{signed.ref.id}.tar.gz"
        draft.replace(archive)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(out_dir)
    beside = archive.with_name(archive.name + SUFFIX)
    write_whole(beside, seal(KIND, signed, key))
    return BuiltRelease(archive, beside, signed)


def _release_toml(folder: Path, version: str) -> tuple[bytes, ReleaseManifest]:
    """The text that goes into the archive, with the version in it, and what it says."""
    file = folder / FILE_NAME
    try:
        text = file.read_text(encoding="utf-8")
        named = tomllib.loads(text).get("version")
    except FileNotFoundError as error:
        raise _no_toml(folder) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{file} is not readable TOML: {error}.", next_action=f"mend {file}") from error
    if named is None:
        text = f'version = "{version}"\n{text}'
    elif named != version:
        raise BadInput(
            f"{file} says version {str(named)[:80]!r}, but {version[:80]!r} is being built.",
            rule="other-version",
            next_action=f"take the version out of {FILE_NAME}, or build with --version {str(named)[:80]}",
        )
    return text.encode(), parse_toml(text, ReleaseManifest, where=str(file))


def _no_toml(folder: Path) -> BadInput:
    lines = 'app = "web"\nhealth = "/health"\nversion_endpoint = "/version"'
    return BadInput(
        f"{folder} holds no {FILE_NAME}, so it is not a release.",
        rule="no-release-toml",
        next_action=f"write these lines to {folder / FILE_NAME}, with your app's name and paths:\n{lines}",
    )


def _write_archive(draft: Path, folder: Path, files: list[Path], toml: bytes) -> None:
    with draft.open("xb") as raw:
        with (
            gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for path in files:
                _add(tar, path, path.relative_to(folder).as_posix(), toml)
        raw.flush()
        os.fsync(raw.fileno())


def _add(tar: tarfile.TarFile, path: Path, name: str, toml: bytes) -> None:
    try:
        member = _member(path, name)
        if name == FILE_NAME:
            member.size = len(toml)
            tar.addfile(member, io.BytesIO(toml))
        elif member.isreg():
            with path.open("rb") as file:
                tar.addfile(member, file)
        else:
            tar.addfile(member)
    except OSError as error:
        reason = error.strerror or "it changed while it was read"
        raise BadInput(f"{path} can't be read: {reason}.", next_action=f"check {path}, build again") from error


def _member(path: Path, name: str) -> tarfile.TarInfo:
    status = path.lstat()
    member = tarfile.TarInfo(name)
    member.mtime = _MTIME
    member.mode = 0o644
    match stat.S_IFMT(status.st_mode):
        case stat.S_IFDIR:
            member.type, member.mode = tarfile.DIRTYPE, 0o755
        case stat.S_IFLNK:
            member.type, member.mode, member.linkname = tarfile.SYMTYPE, 0o777, os.readlink(path)
        case stat.S_IFREG:
            member.size = status.st_size
            member.mode = 0o755 if status.st_mode & 0o100 else 0o644
        case _:
            raise refusal("special-file", name, "only files, folders and links; no devices, fifos or sockets")
    return member


def _describe(archive: Path, limit: int) -> SignedRelease:
    contents = check_archive(archive, limit=limit)
    return SignedRelease(
        app=contents.manifest.app,
        version=contents.manifest.version,
        digest=digest_of(archive),
        size=archive.stat().st_size,
        unpacked=contents.unpacked,
        manifest=contents.manifest,
    )
