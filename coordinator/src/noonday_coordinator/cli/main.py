"""The `noonday` command."""

from __future__ import annotations

import click

from noonday_coordinator.cli import (
    backup,
    caveats,
    compare,
    doctor,
    fleet,
    records,
    releases,
    replay,
    rollouts,
    setup,
    watch,
)
from noonday_coordinator.cli.session import NoondayGroup


@click.group(cls=NoondayGroup, name="noonday", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="noonday-coordinator", prog_name="noonday")
def main() -> None:
    """Release web software in daylight: one server first, the others only when nothing new is wrong with it.

    Exit status: 0 done · 1 unexpected, or no coordinator · 2 refused or bad input · 3 rolled back ·
    4 failed, aborted or superseded · 5 waits for a person · 6 done but for hosts that were left out.
    """


for _command in (
    setup.init,
    setup.serve,
    backup.backup,
    backup.restore,
    fleet.enroll,
    fleet.remove,
    fleet.hosts,
    fleet.drain,
    fleet.undrain,
    releases.release,
    rollouts.deploy,
    rollouts.promote,
    rollouts.rollback,
    rollouts.reconcile,
    rollouts.abort,
    rollouts.pause,
    rollouts.resume,
    watch.status,
    watch.show,
    watch.findings,
    caveats.caveats,
    compare.compare,
    replay.replay,
    watch.logs,
    watch.history,
    records.export,
    records.audit,
    doctor.doctor,
):
    main.add_command(_command)
