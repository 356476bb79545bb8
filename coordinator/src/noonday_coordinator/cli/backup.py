"""`noonday backup` and `noonday restore`: the coordinator's folder in one file, and back.

They work on this machine alone. A backup holds the key that every host obeys, so it must never go over the API.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from noonday_coordinator.cli.output import Output
from noonday_coordinator.cli.session import local


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("coordinator.toml"),
    show_default=True,
)
@click.option("--without-releases", is_flag=True, help="Leave the pushed archives out.")
@local
def backup(out: Output, file: Path, config: Path, without_releases: bool) -> None:
    """Copy the coordinator's folder into FILE.

    Also while it runs. Holds its key: keep it as safe.
    """
    # Only these commands need the stores; the others start faster without them.
    from noonday_coordinator.backup import backup as make  # noqa: PLC0415
    from noonday_shared.clock import SystemClock  # noqa: PLC0415

    made = make(config, file, clock=SystemClock(), releases=not without_releases)
    for note in made.notes:
        out.note(note)
    raw = {"file": str(made.file), "at": made.at, "bytes": made.size, "records": made.head.seq, "head": str(made.head)}
    words = f"{made.file}: {made.head.seq} records and {made.releases} releases, {made.size} bytes, checked."
    out.document({**raw, "releases": made.releases}, f"{words}\nHead: {made.head}")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@local
def restore(out: Output, file: Path, folder: Path) -> None:
    """Make DIR the coordinator's folder that FILE holds.

    Overwrites nothing. What happened after the backup is not in it.
    """
    from noonday_coordinator.restore import restore as put_back  # noqa: PLC0415
    from noonday_shared.clock import SystemClock  # noqa: PLC0415

    made = put_back(file, folder, clock=SystemClock())
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made.at))
    raw = {"config": str(made.config), "data_dir": str(made.data), "backup_at": made.at, "records": made.records}
    words = (
        f"Restored {made.config}, with {made.records} records in {made.data}, as of {when}.\n"
        "What happened after that is not known any more: releases that were pushed, blocked or unblocked, hosts that "
        "were enrolled, rollouts.\n"
        "Make sure that the old coordinator is stopped, and the files belong to the coordinator's user. Next:\n"
        f"  noonday serve --config {made.config}\n"
        "  noonday hosts"
    )
    out.document(raw, words)
