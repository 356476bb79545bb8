"""`noonday doctor`: what is wrong, and what to mend; also when nobody answers."""

from __future__ import annotations

import click

from noonday_coordinator.api.models import Check, Doctor
from noonday_coordinator.cli import tables
from noonday_coordinator.cli.exits import Exit
from noonday_coordinator.cli.session import Session, connected
from noonday_shared.errors import NoondayError


@click.command()
@connected
def doctor(session: Session) -> Exit:
    """Check everything, and say what to mend.

    Works without a coordinator too: then that is what it says.
    """
    value = _examined(session)
    session.out.document(value, tables.doctor(value))
    return Exit.FAILED if value.worst == "fail" else Exit.DONE


def _examined(session: Session) -> Doctor:
    """The coordinator's own checks after ours of the way to it; only ours when it does not answer."""
    try:
        told = session.client.get("/doctor", Doctor)
    except NoondayError as error:
        lost = Check(name="coordinator", state="fail", text=error.text, next_action=error.next_action)
        return Doctor(worst="fail", checks=(lost,))
    reached = Check(name="coordinator", state="ok", text=f"answers at {session.client.url}")
    return Doctor(worst=told.worst, checks=(reached, *told.checks))
