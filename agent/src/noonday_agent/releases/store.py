"""The releases of one app on this host: brought here, switched to, and removed when there are too many."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from noonday_agent.releases.disk import disk_errors, need_space
from noonday_agent.releases.effort import Effort
from noonday_agent.releases.fetch import Fetch, Patience, Progress
from noonday_agent.releases.layout import LiveTarget, ReleaseFolders
from noonday_agent.releases.pruning import remove_release, sweep_downloads, sweep_unfinished
from noonday_agent.releases.unpack import unpack_release
from noonday_shared.clock import Clock
from noonday_shared.envelope import LARGEST
from noonday_shared.errors import BadInput, Permanent, Temporary
from noonday_shared.files import sync_folder
from noonday_shared.keys import PublicKey
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import SignedRelease
from noonday_shared.release.signed import SUFFIX, open_manifest

log = logging.getLogger(__name__)


class ReleaseStore:
    """`downloads_dir` is this app's alone. One store a root; one thread works at a time, any may look."""

    def __init__(
        self,
        root: Path,
        *,
        keys: Iterable[PublicKey],
        downloads_dir: Path,
        keep: int,
        max_unpacked: int,
        clock: Clock,
        patience: Patience | None = None,
    ) -> None:
        self.folders = ReleaseFolders(root)
        self._keys = tuple(keys)
        self._downloads = downloads_dir
        self._keep = keep
        self._max_unpacked = max_unpacked
        self._clock = clock
        self._patience = patience or Patience()
        self._busy = threading.Lock()

    def live(self) -> LiveTarget:
        return self.folders.live()

    def prepared(self) -> tuple[str, ...]:
        return self.folders.prepared()

    def manifest(self, release: str) -> SignedRelease:
        return self.folders.manifest(release)

    def folder(self, release: str) -> Path:
        return self.folders.folder(release)

    def prepare(
        self,
        app: str,
        ref: ReleaseRef,
        source: str,
        *,
        within: float,
        cancelled: Callable[[], bool] = lambda: False,
        progress: Progress = lambda here, whole: None,
    ) -> None:
        """Fetch, verify and unpack `ref` beside the others. Nothing that is live changes.

        Returns at once when it is prepared; goes on where an earlier call stopped or died. Blocks at most `within`
        seconds and one look-up of a name. Raises `BadInput`, `Permanent`, `Temporary` or `Deadline`, with its rule.
        """
        effort = Effort(f"Preparing {app} {ref}", within=within, clock=self._clock, cancelled=cancelled)
        with self._busy, disk_errors(self.folders.root, effort.what):
            self.folders.refuse_plain_current()
            if self._is_prepared(ref):
                return
            self._make_room(ref)
            raw, signed = self._fetch_manifest(app, ref, source, effort)
            archive = self._fetch(signed, source, effort, progress)
            self._unpack(archive, raw, signed, effort)
            log.info("%s %s is prepared in %s", app, ref, self.folders.folder(ref.id))

    def check(self) -> None:
        """Raises `Permanent` (rule `current-is-a-folder`) when `switch` could not work now."""
        self.folders.refuse_plain_current()

    def switch(self, target: str | Path) -> None:
        """Let `current` point to a release, by id, or to a folder elsewhere, by whole path; whoever reads through it
        finds the old one or the new one. Safe to repeat.

        Raises `Permanent`: `not-prepared` when there is no such folder, `current-is-a-folder`, `disk-error`.
        """
        self.folders.refuse_plain_current()
        link = self._link_text(target)
        draft = self.folders.root / ".current.new"
        with disk_errors(self.folders.root, f"Switching {self.folders.current}"):
            draft.unlink(missing_ok=True)
            draft.symlink_to(link)
            draft.replace(self.folders.current)
            sync_folder(self.folders.root)

    def prune(self, protect: Iterable[str] = ()) -> tuple[str, ...]:
        """Remove what is neither live, nor protected (ids), nor among the `keep` newest others; returns those ids.

        What a person put into releases/ stays. Partial downloads go, too, unless they are of a protected release.
        Raises `Permanent` (rule `disk-error`). Safe to repeat.
        """
        live = self.folders.live_id()
        protected = set(protect)
        others = [release for release in self.prepared() if release != live]
        doomed = tuple(release for release in others[self._keep :] if release not in protected)
        with disk_errors(self.folders.root, "Removing old releases"):
            for release in doomed:
                remove_release(self.folders, release)
            self._sweep_if_idle({release.rpartition("-")[2] for release in protected})
        return doomed

    def _is_prepared(self, ref: ReleaseRef) -> bool:
        prepared = self.prepared()
        same_version = [release for release in prepared if release.rpartition("-")[0] == ref.version]
        if ref.id in prepared and self.manifest(ref.id).digest == ref.digest:
            return True
        if same_version:
            raise BadInput(
                f"{self.folders.folder(same_version[0])} holds {ref.version} with other content (assigned: {ref.id}).",
                rule="same-version-other-content",
                next_action="build the new content under a new version: noonday release build --version",
            )
        if os.path.lexists(self.folders.folder(ref.id)):
            raise Permanent(
                f"{self.folders.folder(ref.id)} is in the way: Noonday did not put it there.",
                rule="folder-in-the-way",
                next_action=f"mv {self.folders.folder(ref.id)} to another name, then deploy again",
            )
        return False

    def _make_room(self, ref: ReleaseRef) -> None:
        self.folders.releases.mkdir(parents=True, exist_ok=True)
        self._downloads.mkdir(parents=True, exist_ok=True)
        sweep_unfinished(self.folders)
        sweep_downloads(self._downloads, {ref.digest[:8]})

    def _fetch_manifest(self, app: str, ref: ReleaseRef, source: str, effort: Effort) -> tuple[bytes, SignedRelease]:
        raw = Fetch(source + SUFFIX, effort, self._patience).small(LARGEST)
        signed = open_manifest(raw, self._keys)
        if (signed.app, signed.ref) != (app, ref):
            raise BadInput(
                f"The manifest there is of {signed.app} {signed.ref.id}, and {app} {ref.id} was assigned.",
                rule="digest-mismatch" if (signed.app, signed.version) == (app, ref.version) else "other-release",
                next_action="push the release again: noonday release push",
            )
        if signed.unpacked > self._max_unpacked:
            raise BadInput(
                f"{app} {ref} unpacks to {signed.unpacked} bytes; this host allows {self._max_unpacked}.",
                rule="too-large",
                next_action="make the release smaller, or raise max_unpacked in agent.toml",
            )
        return raw, signed

    def _fetch(self, signed: SignedRelease, source: str, effort: Effort, progress: Progress) -> Path:
        part = self._downloads / f"{signed.digest}.part"
        missing = max(0, signed.size - (part.stat().st_size if part.exists() else 0))
        together = os.stat(self._downloads).st_dev == os.stat(self.folders.releases).st_dev
        need_space(self.folders.releases, signed.unpacked + missing * together, effort.what)
        need_space(self._downloads, missing, effort.what)
        Fetch(source, effort, self._patience).archive(part, signed, progress)
        return part

    def _unpack(self, archive: Path, raw: bytes, signed: SignedRelease, effort: Effort) -> None:
        try:
            unpack_release(archive, raw, signed, self.folders, limit=self._max_unpacked, effort=effort)
        except Temporary:
            raise
        except BaseException:  # an archive that can't be unpacked, for whatever reason, is fetched anew
            archive.unlink(missing_ok=True)
            raise
        archive.unlink(missing_ok=True)

    def _link_text(self, target: str | Path) -> str:
        name = str(target)
        if self.folders.has(name):
            return f"releases/{name}"
        if name.startswith("/") and Path(name).is_dir():
            return name
        raise Permanent(
            f"{self.folders.current} can't be switched to {name[:200]!r}: there is no such release folder.",
            rule="not-prepared",
            next_action="deploy the release again; the agent then prepares it first",
        )

    def _sweep_if_idle(self, wanted: set[str]) -> None:
        if self._busy.acquire(blocking=False):
            try:
                sweep_unfinished(self.folders)
                sweep_downloads(self._downloads, wanted)
            finally:
                self._busy.release()
