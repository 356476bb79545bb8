"""`noonday compare`: canary and controls side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click
from rich.console import Group, RenderableType
from rich.text import Text

from noonday_coordinator.api.models import Rollouts
from noonday_coordinator.api.models_evidence import Change, Comparison, Side
from noonday_coordinator.cli import words as w
from noonday_coordinator.cli.client import part
from noonday_coordinator.cli.session import Session, connected
from noonday_coordinator.cli.tables import BAD, WARN, table, text
from noonday_coordinator.cli.watch import app_or_rollout
from noonday_coordinator.words import figure
from noonday_shared.errors import BadInput
from noonday_shared.messages.latency import EDGES

_TOGETHER = "response_ms"
"""What a balancer calls the time of all requests together."""


@click.command()
@click.argument("what", metavar="APP|ROLLOUT")
@click.option("--top", type=click.IntRange(0, 200), default=10, show_default=True, help="Kinds of record to list.")
@connected
def compare(session: Session, what: str, top: int) -> None:
    """Canary and controls side by side.

    Of ROLLOUT, or of the newest rollout of APP; while it runs and afterwards.
    """

    def of(rollout: str) -> Comparison:
        return session.client.get(f"/rollouts/{part(rollout)}/compare", Comparison, {"top": top})

    value = app_or_rollout(what, lambda: of(_newest(session, what)), lambda: of(what))
    session.out.document(value, shown(value, kinds=top > 0))


def _newest(session: Session, app: str) -> str:
    found = session.client.get("/rollouts", Rollouts, {"app": app, "limit": 1}).rollouts
    if not found:
        text = f"{app} was never rolled out, so there is nothing to compare."
        raise BadInput(text, rule="no-such-rollout", next_action=f"noonday deploy {app} VERSION --plan")
    return found[0].id


def shown(value: Comparison, *, kinds: bool = True) -> RenderableType:
    """`kinds`: whether kinds of record were asked for."""
    change = f"{value.previous.version} to {value.release.version}" if value.previous else value.release.version
    head = f"{value.app} {change} ({value.rollout})"
    if value.since and value.until:
        head += f", {w.at_time(value.since)} to {w.at_time(value.until)}"
    parts: list[RenderableType] = [text(head)]
    if value.words:
        parts.append(text(value.words, WARN))
    if value.canary.hosts or value.controls.hosts:
        parts += [Text(), _sides(value)]
    if value.changes:
        other = "the controls" if value.against == "controls" else "the canary before"
        parts += [Text(), text(f"Records that differ most from {other}:"), _changes(value)]
    elif kinds and value.canary.hosts and not value.words:
        parts += [Text(), text("No kind of record differs by more than chance would make it.")]
    if value.canary.dropped or value.controls.dropped:
        parts.append(text("Some of the log was not read, so records are missing here.", WARN))
    return Group(*parts)


def _sides(value: Comparison) -> RenderableType:
    made = table("", "canary", "controls", "canary before", right=("canary", "controls", "canary before"))
    rows: list[tuple[str, Callable[[Side], str]]] = [
        ("servers", lambda side: ", ".join(side.hosts) or "-"),
        ("evidence of", lambda side: w.duration(side.seconds) if side.seconds else "-"),
        ("requests", lambda side: f"{side.requests:,}"),
        ("answered with 5xx", _failed),
        ("ERROR records", lambda side: f"{side.errors:,}"),
        ("ERROR episodes", lambda side: _error_rate(side, value.per)),
        *((f"latency p{share}", _latency(f"p{share}")) for share in (50, 95, 99)),
        ("CPU per request", lambda side: _seconds(side.cpu_per_request)),
        ("memory (RSS)", lambda side: w.size(round(side.rss)) if side.rss else "-"),
        ("unasked restarts", lambda side: str(side.restarts)),
        *_balanced(value),
    ]
    for name, cell in rows:
        sides = (value.canary, value.controls, value.before)
        made.add_row(text(name), *(text(cell(side) if side.hosts else "-") for side in sides))
    return made


def _failed(side: Side) -> str:
    return "-" if side.failed is None else f"{side.statuses.get('5xx', 0):,} ({figure(100 * side.failed)} %)"


def _error_rate(side: Side, per: str) -> str:
    return "-" if side.error_rate is None else w.rate(side.error_rate, per)


def _latency(name: str) -> Callable[[Side], str]:
    return lambda side: _seconds(getattr(side, name))


def _balanced(value: Comparison) -> Iterator[tuple[str, Callable[[Side], str]]]:
    """What the load balancer counted; of the time that it added up, the mean of a request."""
    names = {*value.canary.balancer, *value.controls.balancer}
    for name in sorted(names - {_TOGETHER}):
        yield f"LB: {name}", _balancer(name)
    if _TOGETHER in names:
        yield "LB: mean response", _mean_response


def _balancer(name: str) -> Callable[[Side], str]:
    return lambda side: f"{side.balancer.get(name, 0):,}"


def _mean_response(side: Side) -> str:
    requests = side.balancer.get("requests", 0)
    return _seconds(side.balancer.get(_TOGETHER, 0) / 1000 / requests if requests else None)


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= EDGES[-1]:
        return f"{EDGES[-1]:g} s or more"
    return f"{figure(1000 * value)} ms" if value < 1 else f"{figure(value)} s"


def _changes(value: Comparison) -> RenderableType:
    made = table("level", "here", "there", "times", "key", "record", right=("here", "there", "times"))
    for one in value.changes:
        style = BAD if one.level in ("ERROR", "FATAL") and one.rate_here > one.rate_there else ""
        made.add_row(
            text(one.level or "-", style),
            text(f"{one.here} ({w.rate(one.rate_here, value.per)})"),
            text(f"{one.there} ({w.rate(one.rate_there, value.per)})"),
            text(_times(one)),
            text(one.key),
            text(w.one_line(one.text)[:120]),
        )
    return made


def _times(one: Change) -> str:
    if not one.there:
        return "seen before" if one.known else "new"
    return figure(one.rate_here / one.rate_there) if one.here else "gone"
