"""The pushed releases, as files: `<app>/<app>-<version>-<digest8>.tar.gz`, and its signed manifest beside it."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from noonday_shared.envelope import peek, read_envelope
from noonday_shared.errors import BadInput, Temporary
from noonday_shared.files import sync_folder, write_whole
from noonday_shared.keys import PublicKey
from noonday_shared.names import ReleaseRef
from noonday_shared.release import KIND, SUFFIX, SignedRelease, check_release, open_manifest

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]*\.tar\.gz(?:\.manifest)?")
_SPARE = 64 << 20
"""Bytes of disk that a push leaves free: the event log lives on the same disk."""


class ArtifactStore:
    """Safe to call from any thread. A release is there when both its files are; it never changes afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._drafts = folder / ".drafts"
        self._putting = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # What an upload left behind when the coordinator was killed.
        shutil.rmtree(self._drafts, ignore_errors=True)
        self._drafts.mkdir(mode=0o700)

    def check(self, manifest: bytes, keys: Sequence[PublicKey]) -> SignedRelease:
        """The signed release, before its archive comes. Raises `BadInput` for a bad signature or a taken version."""
        release = open_manifest(manifest, keys)
        for known in self.list(release.app):
            if known.version == release.version and known.digest != release.digest:
                raise taken(release, known.ref)
        return release

    def draft(self, size: int) -> tuple[Path, IO[bytes]]:
        """A new file to write an archive of `size` bytes into. Raises `Temporary` when the disk has no room for it."""
        free = shutil.disk_usage(self._drafts).free
        if size + _SPARE > free:
            raise Temporary(
                f"The archive has {size} bytes, and {free} are free on the coordinator's disk.",
                rule="disk-full",
                next_action=f"free space in {self.folder}, then push again",
            )
        path = self._drafts / secrets.token_hex(8)
        return path, path.open("xb")

    def put(self, draft: Path, manifest: bytes, keys: Sequence[PublicKey]) -> SignedRelease:
        """Check the archive in `draft` against its manifest and keep both; `draft` is gone afterwards, also on refusal.

        Safe to repeat with the same content. Raises `BadInput` when anything doesn't fit.
        """
        try:
            release = self.check(manifest, keys)
            check_release(draft, release, limit=release.unpacked)
            with self._putting:
                self.check(manifest, keys)
                if self.path(release.app, release.ref) is None:
                    self._keep(draft, manifest, release)
            return release
        finally:
            draft.unlink(missing_ok=True)

    def remove(self, app: str, release: ReleaseRef) -> None:
        """Delete its files. Safe to repeat."""
        archive = self.folder / app / archive_name(app, release)
        # The manifest first: without it the release is not there.
        _manifest_of(archive).unlink(missing_ok=True)
        archive.unlink(missing_ok=True)

    def path(self, app: str, release: ReleaseRef) -> Path | None:
        """Its archive; None when it is not here."""
        archive = self.folder / app / archive_name(app, release)
        return archive if archive.is_file() and _manifest_of(archive).is_file() else None

    def find(self, name: str) -> Path | None:
        """The archive or manifest of this name, of any app."""
        if not _NAME.fullmatch(name):
            return None
        found = (folder / name for folder in self.folder.iterdir() if folder != self._drafts)
        return next((path for path in found if path.is_file()), None)

    def list(self, app: str) -> tuple[SignedRelease, ...]:
        """The app's releases by version. Their signatures were checked when they came."""
        manifests = sorted((self.folder / app).glob(f"*{SUFFIX}"))
        return tuple(peek(read_envelope(path.read_bytes(), KIND), SignedRelease) for path in manifests)

    def _keep(self, draft: Path, manifest: bytes, release: SignedRelease) -> None:
        folder = self.folder / release.app
        folder.mkdir(exist_ok=True, mode=0o700)
        archive = folder / archive_name(release.app, release.ref)
        draft.replace(archive)
        sync_folder(folder)
        # Last: a release is there only when its manifest is.
        write_whole(_manifest_of(archive), manifest, mode=0o600)


def archive_name(app: str, release: ReleaseRef) -> str:
    return f"{app}-{release.id}.tar.gz"


def taken(release: SignedRelease, by: ReleaseRef) -> BadInput:
    return BadInput(
        f"{release.app} {release.version} was pushed before with other content (sha256 {by.digest[:8]}…, now "
        f"{release.digest[:8]}…); a version never changes.",
        rule="same-version-other-content",
        next_action="build it again under a new version: noonday release build",
    )


def _manifest_of(archive: Path) -> Path:
    return archive.with_name(archive.name + SUFFIX)
