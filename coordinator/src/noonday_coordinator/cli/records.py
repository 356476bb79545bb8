"""What was kept, for other programs and for those who must be able to trust it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from noonday_coordinator.api.models import AuditReply
from noonday_coordinator.cli.client import Query
from noonday_coordinator.cli.exits import Exit
from noonday_coordinator.cli.session import Session, connected
from noonday_shared.errors import BadInput, Temporary

_AUDIT_WITHIN = 600.0


@click.command()
@click.argument("rollout", required=False)
@click.option("--app", default="", help="Every rollout and record of this app.")
@click.option("--all", "everything", is_flag=True, help="Every record there is.")
@connected
def export(session: Session, *, rollout: str | None, app: str, everything: bool) -> None:
    """Who did what, when and why, host by host, as JSON lines.

    Of ROLLOUT, of an app, or of everything.
    """
    if [bool(rollout), bool(app), everything].count(True) != 1:
        text = "Give a rollout, --app APP or --all: one of them."
        raise BadInput(text, rule="usage", next_action="noonday export --help")
    query: Query = {"rollout": rollout} if rollout else {"app": app} if app else {}
    last = ""
    for line in session.client.lines("/export", query):
        click.echo(line)
        last = line
    if not last or "end" not in json.loads(last):
        text = "The coordinator's answer was cut off, so the export is not whole."
        raise Temporary(text, next_action="see the coordinator's log, then export again")


@click.command()
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="This file, without a coordinator.")
@click.option("--head", default="", help="One that was noted before: the log must still lead to it.")
@connected
def audit(session: Session, *, log: Path | None, head: str) -> Exit:
    """Whether the event log is as it was written, record by record.

    Names the first that is not. Status 4 when there is one.
    """
    value = _here(log, head) if log else _asked(session, head)
    session.out.document(value, _words(value))
    return Exit.DONE if value.whole else Exit.FAILED


def _asked(session: Session, head: str) -> AuditReply:
    query: Query = {"head": head} if head else {}
    return session.client.get("/audit", AuditReply, query, within=_AUDIT_WITHIN)


def _here(log: Path, head: str) -> AuditReply:
    # Only here: the stores cost a tenth of a second that other commands need not wait for.
    from noonday_coordinator.api.routes_records import audited, noted  # noqa: PLC0415
    from noonday_coordinator.store.log_file import audit_file  # noqa: PLC0415

    return audited(audit_file(log, noted(head)))


def _words(value: AuditReply) -> str:
    if not value.whole:
        before = f" The {value.records} records before it are as they were written." if value.broken else ""
        return f"{value.words}{before}\nNext: restore a backup made before that: noonday restore FILE DIR"
    since = "" if value.chained_from <= 1 else f" Records before {value.chained_from} were kept without a hash each."
    return f"All {value.records} records are as they were written.{since}\nHead: {value.head}"
