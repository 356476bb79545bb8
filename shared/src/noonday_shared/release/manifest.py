"""`release.toml`: what a release is, and what it can live beside. Lies at the top of the archive."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field

from noonday_shared.config import Settings
from noonday_shared.envelope import Wire
from noonday_shared.names import AppName, Digest, ReleaseRef, Version

FILE_NAME = "release.toml"
KIND = "release"
"""Kind of the envelope that signs a `SignedRelease`."""


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts or path == PurePosixPath("."):
        raise ValueError(f"{value!r} must be a path inside the release")
    return value


InnerPath = Annotated[str, AfterValidator(_inside)]
UrlPath = Annotated[str, Field(pattern=r"^/")]


class HookFiles(Settings):
    """Executables of the release, run in its folder with NOONDAY_APP, _HOST, _RELEASE, _PREVIOUS and _ROLLOUT.

    Not run on the way back.
    """

    pre_activate: InnerPath | None = Field(default=None, description="before the drain; failing changes nothing")
    post_activate: InnerPath | None = Field(
        default=None, description="after the app is well, before its return; failing sends it back"
    )
    post_return: InnerPath | None = Field(
        default=None, description="once it is back in the load balancer; failing sends it back"
    )


class ReleaseManifest(Settings):
    """The whole file. `noonday release build` writes the version into it."""

    app: AppName = Field(description="the app that this is a release of")
    version: Version = Field(description="may be left out in the source: `--version` of the build puts it in")
    health: UrlPath | None = Field(default=None, description="instead of the health path in agent.toml")
    version_endpoint: UrlPath | None = Field(
        default=None, description="answers the version: as plain text, or JSON with a key 'version'"
    )
    shared: tuple[InnerPath, ...] = Field(
        default=(), description="linked to the app's shared/ folder, kept over releases"
    )
    hooks: HookFiles = Field(default=HookFiles(), description="what the release runs on each host")


class SignedRelease(Wire):
    """What the builder signs, detached: `<archive>.manifest` is an envelope of kind 'release' around it."""

    app: AppName
    version: Version
    digest: Digest
    size: int = Field(ge=0, description="bytes of the archive")
    unpacked: int = Field(ge=0, description="bytes of all files in it")
    manifest: ReleaseManifest

    @property
    def ref(self) -> ReleaseRef:
        return ReleaseRef(version=self.version, digest=self.digest)
