"""Releases for tests: folders, archives built from them, and archives made by hand that no builder would make."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from noonday_shared.envelope import seal
from noonday_shared.keys import SigningKey
from noonday_shared.names import ReleaseRef
from noonday_shared.release.archive import BuiltRelease, build_archive
from noonday_shared.release.manifest import KIND, ReleaseManifest, SignedRelease
from noonday_shared.release.signed import SUFFIX, digest_of

TOML = 'app = "web"\nhealth = "/health"\n'


@dataclass(frozen=True)
class Member:
    """One member of an archive made by hand."""

    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o644

    def info(self) -> tarfile.TarInfo:
        info = tarfile.TarInfo(self.name)
        info.type, info.linkname, info.mode, info.size = self.type, self.link, self.mode, len(self.data)
        return info


def release_toml(version: str = "1.0.0", extra: str = "") -> Member:
    return Member("release.toml", f'version = "{version}"\n{TOML}{extra}'.encode())


def make_folder(folder: Path, files: Mapping[str, str | bytes], toml: str = TOML) -> Path:
    """A release's folder holding `files` and a release.toml."""
    for name, text in {"release.toml": toml, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def make_archive(path: Path, members: Iterable[Member]) -> Path:
    """A .tar.gz of exactly these members, in this order."""
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member.info(), io.BytesIO(member.data))
    return path


def make_raw_archive(path: Path, raw: bytes) -> Path:
    path.write_bytes(gzip.compress(raw, 1))
    return path


def sign_archive(
    archive: Path, key: SigningKey, *, version: str = "1.0.0", unpacked: int = 0, size: int | None = None
) -> SignedRelease:
    """Put a manifest beside `archive`, whatever the archive holds."""
    signed = SignedRelease(
        app="web",
        version=version,
        digest=digest_of(archive),
        size=archive.stat().st_size if size is None else size,
        unpacked=unpacked,
        manifest=ReleaseManifest(app="web", version=version, health="/health"),
    )
    archive.with_name(archive.name + SUFFIX).write_bytes(seal(KIND, signed, key))
    return signed


@dataclass(frozen=True)
class Shelf:
    """Builds releases of the app 'web' into one folder, signed by one key."""

    folder: Path
    key: SigningKey

    def build(self, version: str, files: Mapping[str, str | bytes] | None = None, toml: str = TOML) -> BuiltRelease:
        source = self.folder / f"source-{version}-{os.urandom(3).hex()}"
        make_folder(source, {"app.py": f"print('{version}')\n"} if files is None else files, toml)
        return build_archive(source, version=version, out_dir=self.folder / "out", key=self.key)

    def ref(self, version: str) -> ReleaseRef:
        return self.build(version).signed.ref
