"""The detached manifest beside an archive: opened by pinned keys, and held against the archive it signs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from noonday_shared.envelope import open_sealed
from noonday_shared.errors import BadInput
from noonday_shared.keys import PublicKey
from noonday_shared.release.extract import check_archive
from noonday_shared.release.manifest import KIND, SignedRelease
from noonday_shared.release.members import Contents

SUFFIX = ".manifest"
_CHUNK = 1 << 20


def open_manifest(raw: bytes, keys: Iterable[PublicKey]) -> SignedRelease:
    """Raises `BadInput` (rule `bad-signature` when none of `keys` signed it)."""
    return open_sealed(raw, KIND, SignedRelease, keys)


def digest_of(path: Path, go_on: Callable[[], None] = lambda: None) -> str:
    """sha256 of a file in hex. `go_on` is called between pieces and ends the work by raising."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            go_on()
    return digest.hexdigest()


def check_release(archive: Path, signed: SignedRelease, *, limit: int) -> None:
    """Whether `archive` is what was signed and could be unpacked: what a store asks before it takes a push.

    `limit`: bytes of all files. Raises `BadInput`; safe to repeat.
    """
    if archive.stat().st_size != signed.size or digest_of(archive) != signed.digest:
        raise digest_mismatch(archive.name, signed)
    check_contents(check_archive(archive, limit=limit), signed)


def check_contents(contents: Contents, signed: SignedRelease) -> None:
    """Whether the archive's own release.toml says what the manifest signed. Raises `BadInput`."""
    inside = contents.manifest
    agree = (inside.app, inside.version, contents.unpacked) == (signed.app, signed.version, signed.unpacked)
    if not agree or inside != signed.manifest:
        raise BadInput(
            f"The archive of {signed.app} {signed.version} holds another release.toml or size than was signed.",
            rule="manifest-mismatch",
            next_action="build and push the release again: noonday release build",
        )


def digest_mismatch(name: str, signed: SignedRelease) -> BadInput:
    return BadInput(
        f"{name} is not the archive that was signed as {signed.app} {signed.version} (sha256 {signed.digest[:12]}…).",
        rule="digest-mismatch",
        next_action="build and push the release again: noonday release build, noonday release push",
    )
