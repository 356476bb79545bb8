"""Commands about releases."""

from __future__ import annotations

from pathlib import Path

import click

from noonday_coordinator.api.models import Done, Pushed, ReleaseInfo, Releases, WhyAsk
from noonday_coordinator.cli import tables, words
from noonday_coordinator.cli.client import part
from noonday_coordinator.cli.output import Output
from noonday_coordinator.cli.session import NoondayGroup, Session, connected, local
from noonday_coordinator.cli.session import why as reason
from noonday_shared.envelope import peek, read_envelope
from noonday_shared.errors import BadInput
from noonday_shared.keys import SigningKey
from noonday_shared.release import KIND, SUFFIX, SignedRelease, build_archive

KEY_FILE = Path("~/.config/noonday/release.key")


@click.group(cls=NoondayGroup)
def release() -> None:
    """Build, push and look up releases."""


@release.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--version", required=True, help="As in 1.4.0; the same version is never built into other content.")
@click.option(
    "--out", "out_dir", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Default: here."
)
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path),
    envvar="NOONDAY_RELEASE_KEY",
    default=KEY_FILE,
    show_default=True,
    help="Private key that signs; or NOONDAY_RELEASE_KEY.",
)
@local
def build(out: Output, folder: Path, version: str, out_dir: Path, key_file: Path) -> None:
    """Make DIR into a signed archive.

    DIR holds a release.toml. The same files give the same bytes.
    """
    key = SigningKey.load(key_file.expanduser())
    built = build_archive(folder, version=words.checked_version(version), out_dir=out_dir, key=key)
    signed = built.signed
    raw = {
        "archive": str(built.archive),
        "manifest": str(built.manifest),
        "app": signed.app,
        "version": signed.version,
        "digest": signed.digest,
        "size": signed.size,
    }
    out.document(raw, f"{built.archive} ({words.size(signed.size)}, sha256 {signed.digest[:12]}…), signed.")
    if not out.as_json:
        out.note(f"Next: noonday release push {built.archive}")


@release.command()
@click.argument("archive", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@reason
@connected
def push(session: Session, archive: Path, why: str) -> None:
    """Give an archive to the coordinator.

    Sends FILE and the FILE.manifest beside it. May be repeated.
    """
    raw = _manifest_beside(archive)
    app = peek(read_envelope(raw, KIND), SignedRelease).app
    pushed = session.client.upload(f"/apps/{part(app)}/releases", Pushed, raw, archive, {"why": why} if why else None)
    session.out.document(pushed, pushed.words)


@release.command("list")
@click.argument("app")
@connected
def list_(session: Session, app: str) -> None:
    """The releases of APP, newest first.

    Says which is live where, and which is blocked.
    """
    value = session.client.get(f"/apps/{part(app)}/releases", Releases)
    session.out.document(value, tables.releases(value))


@release.command()
@click.argument("app")
@click.argument("version")
@connected
def show(session: Session, app: str, version: str) -> None:
    """One release, and what its release.toml says."""
    value = session.client.get(f"/apps/{part(app)}/releases/{part(version)}", ReleaseInfo)
    session.out.document(value, tables.release(value))


@release.command()
@click.argument("app")
@click.argument("version")
@click.option("--why", required=True, help="Why it may be rolled out again; kept in the history.")
@connected
def unblock(session: Session, app: str, version: str, why: str) -> None:
    """Allow a release that was rolled back."""
    done = session.client.post(f"/apps/{part(app)}/releases/{part(version)}/unblock", Done, WhyAsk(why=why))
    session.out.document(done, done.words)


def _manifest_beside(archive: Path) -> bytes:
    """The signed manifest of an archive that can be read. Raises `BadInput`."""
    beside = archive.with_name(archive.name + SUFFIX)
    for file in (archive, beside):
        if not file.is_file():
            built = "noonday release build makes both the archive and its .manifest; give the archive's path"
            raise BadInput(f"{file} is missing.", rule="no-archive", next_action=built)
    return beside.read_bytes()
