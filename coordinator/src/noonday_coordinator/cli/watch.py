"""Commands that only look."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import click

from noonday_coordinator.api import models as m
from noonday_coordinator.cli import tables, words
from noonday_coordinator.cli.client import part
from noonday_coordinator.cli.exits import Exit
from noonday_coordinator.cli.findings import report
from noonday_coordinator.cli.follow import patiently
from noonday_coordinator.cli.live import view
from noonday_coordinator.cli.session import Session, connected
from noonday_shared.errors import BadInput

LINES_EVERY = 1.0
"""Seconds between two looks for lines."""
FIRST_LINES_WITHIN = 6.0
"""Seconds that hosts are given to take up that somebody watches, and to send their first lines."""

T = TypeVar("T")


@click.command()
@connected
def status(session: Session) -> None:
    """The coordinator, its broker and all apps.

    For each app: its release, hosts in and out of service, and the rollout under way.
    """
    value = session.client.get("/status", m.Status)
    session.out.document(value, tables.status(value))


@click.command()
@click.argument("app")
@click.option("--host", default="", help="Only this host's lines.")
@click.option("--only-new", is_flag=True, help="Only kinds of record that are new with the newest release.")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
@connected
def logs(session: Session, *, app: str, host: str, only_new: bool, follow: bool) -> None:
    """Log lines of APP from all of its hosts.

    Hosts send them only while somebody asks.
    """
    ask = _asker(session, app, host, only_new=only_new)
    if follow:
        _Lines(session, ask, only_new=only_new).follow()
        return
    value = ask(0)
    deadline = session.clock.monotonic() + FIRST_LINES_WITHIN
    while not value.lines and session.clock.monotonic() < deadline:
        session.clock.sleep(LINES_EVERY)
        value = ask(0)
    if value.lines or session.out.as_json:
        session.out.document(value, "\n".join(map(words.log_line, value.lines)))
    if not value.lines:
        new = f" that are new with {value.new_with}" if value.new_with else ""
        session.out.note(f"No lines{new} yet. Hosts that log something send it from now on for half a minute.")
        session.out.note(f"Next: noonday logs {app}{' --only-new' if only_new else ''} --follow")


def _asker(session: Session, app: str, host: str, *, only_new: bool) -> Callable[[int], m.Logs]:
    query = {**({"host": host} if host else {}), **({"only_new": "true"} if only_new else {})}
    return lambda after: session.client.get(f"/apps/{part(app)}/logs", m.Logs, {"after": after, **query})


@dataclass
class _Lines:
    """Lines of an app until Ctrl-C, each once, also over restarts of the coordinator."""

    session: Session
    ask: Callable[[int], m.Logs]
    only_new: bool = False
    """Then long silence is what is hoped for, so it is said first what is listened for."""
    _after: int = field(default=0, init=False)
    _since: float = field(default=0.0, init=False)
    _lost: bool = field(default=False, init=False)
    _new_with: str = field(default="", init=False)

    def follow(self) -> None:
        self._since = self._listening_since()
        try:
            while True:
                for line in patiently(self._fresh, self.session.clock, self._away):
                    self.session.out.record("line", line)
                    self.session.out.show(words.log_line(line))
                self.session.clock.sleep(LINES_EVERY)
        except KeyboardInterrupt:
            return

    def _fresh(self) -> tuple[m.LogLineReply, ...]:
        if self._lost:
            since = self._listening_since()
            # A coordinator that was restarted numbers its lines from the start again.
            self._after = self._after if since == self._since else 0
            self._since, self._lost = since, False
            self.session.out.note("The coordinator answers again.")
        value = self.ask(self._after)
        self._after = value.last
        if self.only_new and value.new_with != self._new_with:
            self._new_with = value.new_with
            self.session.out.note(f"Following what is new with {value.new_with}.")
        return value.lines

    def _listening_since(self) -> float:
        return self.session.client.get("/status", m.Status).since

    def _away(self, what: str) -> None:
        if not self._lost:
            self.session.out.note(what)
        self._lost = True


@click.command()
@click.argument("what", metavar="APP|ROLLOUT")
@connected
def findings(session: Session, what: str) -> None:
    """What was found, with the lines that prove it.

    In ROLLOUT, or in the newest rollout of APP.
    """
    value = app_or_rollout(
        what,
        lambda: session.client.get(f"/apps/{part(what)}/findings", m.Findings),
        lambda: session.client.get(f"/rollouts/{part(what)}/findings", m.Findings),
    )
    session.out.document(value, report(value))


def app_or_rollout(what: str, of_app: Callable[[], T], of_rollout: Callable[[], T]) -> T:
    """Whichever is meant. When there is neither, what looks like a rollout is said to be none."""
    try:
        return of_app()
    except BadInput as no_app:
        if no_app.rule != "no-such-app":
            raise
        try:
            return of_rollout()
        except BadInput as no_rollout:
            looks = re.fullmatch(r"r\d+", what) or no_rollout.rule != "no-such-rollout"
            raise (no_rollout if looks else no_app) from None


@click.command()
@click.argument("app", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="The newest so many.")
@connected
def history(session: Session, app: str | None, limit: int) -> None:
    """Who did what; what was decided, and why.

    To APP, or to everything.
    """
    query: dict[str, str | int] = {"limit": limit}
    if app:
        query["app"] = app
    value = session.client.get("/history", m.Events, query)
    session.out.document(value, tables.history(value))


@click.command()
@click.argument("rollout")
@click.option("--follow", is_flag=True, help="Show it until it ends, as deploy does.")
@connected
def show(session: Session, rollout: str, follow: bool) -> Exit:
    """One rollout: hosts, verdict, findings."""
    value = session.client.get(f"/rollouts/{part(rollout)}", m.RolloutInfo)
    if follow:
        return session.follow(value.id, value.app)
    session.out.document(value, view(value, whole=True))
    return Exit.DONE
