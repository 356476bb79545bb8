"""How releases lie on disk, under an app's root.

    releases/<version>-<digest8>/        one release, whole from the moment it has this name
    releases/.<version>-<digest8>.json   the signed manifest it came with
    current                              a link to the live one
    shared/                              what outlives releases

A folder in releases/ without a manifest was put there by a person: it can be live and be returned to, and is never
deleted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from noonday_shared.envelope import peek, read_envelope
from noonday_shared.errors import BadInput, Permanent
from noonday_shared.release.manifest import KIND, SignedRelease


class LiveKind(StrEnum):
    LINK = "link"
    MISSING = "missing"
    FOLDER = "folder"
    """`current` is no link: a folder or file that a person made."""
    BROKEN = "broken"
    """A link to what is not there."""


@dataclass(frozen=True, slots=True)
class LiveTarget:
    """Where `current` leads."""

    kind: LiveKind
    id: str = ""
    """The release's, when it leads to a folder in releases/."""
    path: Path | None = None
    """The folder itself, links resolved; None when `current` is missing."""


class ReleaseFolders:
    """Looks, and changes nothing. Safe from any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.releases = self.root / "releases"
        self.current = self.root / "current"
        self.shared = self.root / "shared"

    def folder(self, release: str) -> Path:
        return self.releases / release

    def sidecar(self, release: str) -> Path:
        """The manifest's file of the release with this id."""
        return self.releases / f".{release}.json"

    def live(self) -> LiveTarget:
        if not self.current.is_symlink():
            plain = self.current.exists()
            return LiveTarget(LiveKind.FOLDER, path=self.current) if plain else LiveTarget(LiveKind.MISSING)
        path = Path(os.path.realpath(self.current))
        inside = path.parent == Path(os.path.realpath(self.releases))
        kind = LiveKind.LINK if path.is_dir() else LiveKind.BROKEN
        return LiveTarget(kind, id=path.name if inside else "", path=path)

    def live_id(self) -> str:
        """The id of the release that `current` leads to or into, which must not be removed; '' when there is none."""
        path, releases = self.live().path, Path(os.path.realpath(self.releases))
        return path.relative_to(releases).parts[0] if path and releases in path.parents else ""

    def has(self, release: str) -> bool:
        """Whether there is such a folder to switch to, fetched by us or put there by a person."""
        named = release and "/" not in release and not release.startswith(".")
        return bool(named) and self.folder(release).is_dir()

    def prepared(self) -> tuple[str, ...]:
        """The ids of the releases that are fetched, verified and unpacked; newest first."""
        found = [(_written(sidecar), sidecar.name[1 : -len(".json")]) for sidecar in self.releases.glob(".*.json")]
        return tuple(release for _, release in sorted(found, reverse=True) if self.has(release))

    def manifest(self, release: str) -> SignedRelease:
        """What was signed; verified when it was fetched. Raises `Permanent` (rule `not-prepared`)."""
        try:
            return peek(read_envelope(self.sidecar(release).read_bytes(), KIND), SignedRelease)
        except (OSError, BadInput) as error:
            raise Permanent(
                f"The release {release!r} was not prepared in {self.releases}: its manifest can't be read.",
                rule="not-prepared",
                next_action=f"deploy it again; if it is said to be in the way, remove {self.folder(release)}",
            ) from error

    def refuse_plain_current(self) -> None:
        """Raises `Permanent` (rule `current-is-a-folder`) when `current` can't be switched, and says how to mend it."""
        if self.live().kind is not LiveKind.FOLDER:
            return
        old = self.releases / "before-noonday"
        raise Permanent(
            f"{self.current} is a plain folder and not a link, so it can't be switched. Nothing was changed.",
            rule="current-is-a-folder",
            next_action=f"mkdir -p {self.releases} && mv {self.current} {old} && ln -s {old} {self.current}",
        )


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # removed by prune since it was listed
        return 0
