"""Commands about what is known and no release's fault."""

from __future__ import annotations

import click
from pydantic import BaseModel
from rich.console import Group, RenderableType
from rich.text import Text

from noonday_coordinator.api.models import Done, WhyAsk
from noonday_coordinator.api.models_evidence import CaveatAsk, CaveatReply, Caveats
from noonday_coordinator.cli import words as w
from noonday_coordinator.cli.client import part
from noonday_coordinator.cli.session import NoondayGroup, Session, connected
from noonday_coordinator.cli.tables import DIM, text

_reason = click.option("--reason", "--why", "why", required=True, help="Why it is known; kept in the history.")


@click.group(cls=NoondayGroup)
def caveats() -> None:
    """Say what is known, so that no release is blamed for it."""


@caveats.command("list")
@click.argument("app")
@click.option("--all", "known", is_flag=True, help="Also errors of good releases that nobody marked.")
@connected
def list_(session: Session, *, app: str, known: bool) -> None:
    """The caveats of APP, with who marked them and why."""
    value = session.client.get(f"/apps/{part(app)}/caveats", Caveats, {"known": str(known).lower()})
    session.out.document(value, shown(value))


@caveats.command()
@click.argument("app")
@click.argument("key")
@_reason
@connected
def accept(session: Session, *, app: str, key: str, why: str) -> None:
    """Blame no release for it at the rate of now.

    KEY names a finding or a kind of record, whole or by its first letters. Much more of it is still held against a
    release. It counts at once.
    """
    _mark(session, app, key, "accept", CaveatAsk(why=why))


@caveats.command()
@click.argument("app")
@click.argument("key")
@_reason
@connected
def mute(session: Session, *, app: str, key: str, why: str) -> None:
    """Blame or hold no release for it, however much there is.

    KEY names a finding or a kind of record, whole or by its first letters. It counts at once.
    """
    _mark(session, app, key, "mute", CaveatAsk(why=why))


@caveats.command()
@click.argument("app")
@click.argument("key")
@click.option("--reason", "--why", "why", default="", help="Kept in the history.")
@connected
def forget(session: Session, *, app: str, key: str, why: str) -> None:
    """Make KEY of APP count again."""
    _mark(session, app, key, "forget", WhyAsk(why=why))


def _mark(session: Session, app: str, key: str, verb: str, ask: BaseModel) -> None:
    done = session.client.post(f"/apps/{part(app)}/caveats/{part(key)}/{verb}", Done, ask)
    session.out.document(done, done.words)


def shown(value: Caveats) -> RenderableType:
    lines: list[Text] = []
    for one in value.caveats:
        lines += _caveat(one)
    marked = sum(one.status != "known" for one in value.caveats)
    if not marked:
        lines.insert(
            0, text(f"{value.app} has no caveats. noonday findings {value.app} says what was found and its keys.")
        )
    if value.known > len(value.caveats) - marked:
        errors = w.count_of(value.known, "kind")
        lines.append(text(f"{errors} of error known from good releases: noonday caveats list {value.app} --all"))
    return Group(*lines)


def _caveat(one: CaveatReply) -> list[Text]:
    what = w.one_line(one.text) or one.key
    lines = [text(f"{_status(one)}  {one.level} {what}".replace("   ", "  "))]
    seen = []
    if one.first_seen:
        seen.append(f"first seen {w.at_day(one.first_seen)}")
    if one.last_seen:
        seen.append(f"last {w.at_day(one.last_seen)}")
    if one.releases:
        seen.append(f"on {', '.join(release.rpartition('-')[0] or release for release in one.releases)}")
    seen.append(f"key {one.key}{', with every record like it' if one.cluster else ''}")
    lines.append(text(f"  {', '.join(seen)}", DIM))
    if one.by:
        lines.append(text(f"  by {one.by} at {w.at_day(one.at)}: {w.one_line(one.why)}", DIM))
    return lines


def _status(one: CaveatReply) -> str:
    if one.status == "accepted":
        return f"accepted at {w.rate(one.rate, one.per)}" if one.rate else "accepted"
    return one.status
