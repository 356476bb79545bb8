"""What commands show, as rich renderables made from the API's models. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from noonday_coordinator.api import models as m
from noonday_coordinator.cli import words as w

GOOD, BAD, DIM, WARN = "green", "bold red", "dim", "yellow"


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left")
    return made


def text(words: str, style: str = "") -> Text:
    """Words of other machines, without what would drive the terminal."""
    return Text(w.clean(words), style=style)


def labelled(rows: Iterable[tuple[str, str]]) -> Table:
    made = Table.grid(padding=(0, 2, 0, 0))
    for label, words in rows:
        made.add_row(text(label, DIM), text(words))
    return made


def plan(value: m.PlanReply) -> RenderableType:
    rows = [("release", f"{w.change(value)}, {value.release.digest[:12]}…")]
    rows += [("waves" if not number else "", line) for number, line in enumerate(w.plan_waves(value))]
    rows += [
        ("left out" if not number else "", f"{host}: {why}") for number, (host, why) in enumerate(value.skipped.items())
    ]
    rows += [("limit", f"{w.count_of(value.limit, 'host')} of {len(value.hosts)} out of service at once, at most")]
    rows += [("checks" if not number else "", line) for number, line in enumerate(value.checks)]
    rows += [("verdict" if not number else "", line) for number, line in enumerate(value.policy)]
    rows += [("time", f"about {w.duration(value.seconds)} at least")]
    return labelled(rows)


def homecoming(value: m.ReconcilePlan) -> RenderableType:
    rows = [(one.host, f"{one.why}; it goes to {value.release.version}") for one in value.hosts]
    rows += [(host, f"not now: {why}") for host, why in value.not_now.items()]
    return labelled(rows) if rows else text(f"Nothing to do: every host of {value.app} serves {value.release.version}.")


def status(value: m.Status) -> RenderableType:
    broker = "connected" if value.broker.connected else f"not connected: {value.broker.trouble}"
    head = text(f"Coordinator {value.version}, term {value.term}. Broker {broker}")
    if not value.apps:
        return Group(head, text("No apps: write one policy file per app, apps/NAME.toml."))
    made = table("app", "release", "in service", "out", "rollout", "stage")
    for app in value.apps:
        made.add_row(
            text(app.app),
            text(w.version(app.current)),
            text(", ".join(app.hosts_in) or "-"),
            text(", ".join(app.hosts_out) or "-", WARN if app.hosts_out else ""),
            text(app.rollout or "-"),
            text(f"{app.stage or '-'}{f', {app.judgement} so far' if app.judgement else ''}"),
        )
    return Group(head, made, *_status_notes(value))


def _status_notes(value: m.Status) -> list[Text]:
    notes = []
    for app in value.apps:
        if app.asked:
            notes.append(text(f"{app.app} asks: {w.one_line(app.asked)}  Answer: {w.answers(app.app)}", WARN))
        elif app.waiting_for:
            notes.append(text(f"{app.app} waits: {w.one_line(app.waiting_for)}"))
        if app.dry_run:
            notes.append(text(f"{app.app}: {w.dry_run(app.would)}", WARN))
        notes += [
            text(f"{app.app}: {w.one_line(drift)}. Mend: noonday reconcile {app.app}", WARN) for drift in app.drift
        ]
        notes += [text(w.one_line(why), WARN) for why in app.held_back]
        if app.trouble:
            notes.append(text(f"{app.app}: {w.one_line(app.trouble)}", BAD))
    return notes


def hosts(value: m.Hosts) -> RenderableType:
    made = table("host", "labels", "heard", "app", "release", "in LB", "well", "phase", "trouble")
    for host in value.hosts:
        first = [text(host.host), text(w.pairs(host.labels)), _heard(host)]
        for app in host.apps or (None,):
            made.add_row(*first, *(_on_host(app) if app else [text("no apps reported", DIM)]))
            first = [Text(), Text(), Text()]
    drained = [text(f"{host.host} is drained by {host.drained_by}.", WARN) for host in value.hosts if host.drained_by]
    drifts = [
        text(f"{host.host} {w.one_line(app.drift)}. See: noonday reconcile {app.app} --plan", WARN)
        for host in value.hosts
        for app in host.apps
        if app.drift
    ]
    late = [text(w.one_line(app.held_back), WARN) for host in value.hosts for app in host.apps if app.held_back]
    notices = [text(f"{host.host}: {w.one_line(words)}", WARN) for host in value.hosts for words in host.notices]
    strange = [text(_stranger(found, value.now), WARN) for found in value.strangers]
    return Group(
        made if value.hosts else text("No hosts: noonday enroll HOST --label role=web"),
        *drained,
        *drifts,
        *late,
        *notices,
        *strange,
    )


def _heard(host: m.HostInfo) -> Text:
    if host.last_seen is None:
        return text("never", WARN)
    return text(f"{w.duration(host.silent)} ago", BAD if host.silent > w.LATE else "")


def _on_host(app: m.AppOnHost) -> list[Text]:
    return [
        text(app.app),
        text(app.live or "-"),
        text(w.yes_no(app.in_service), "" if app.in_service else WARN),
        text(w.yes_no(app.healthy), BAD if app.healthy is False else ""),
        text(w.host_step(app, None)),
        text(w.one_line(app.trouble), BAD),
    ]


def _stranger(found: m.Stranger, now: float) -> str:
    return (
        f"{found.host} reports ({w.duration(now - found.last_seen)} ago) and is not enrolled; "
        f"what it says changes nothing: noonday enroll {found.host}"
    )


def releases(value: m.Releases) -> RenderableType:
    if not value.releases:
        return text(f"No releases of {value.app}: noonday release build DIR --version V, noonday release push FILE")
    made = table("version", "id", "size", "pushed", "by", "state", "live on", "why", right=("size",))
    for one in value.releases:
        made.add_row(
            text(one.version),
            text(one.id),
            text(w.size(one.size)),
            text(w.at_day(one.pushed_at)),
            text(one.pushed_by),
            text(_release_state(one), BAD if one.blocked else GOOD if one.current else ""),
            text(", ".join(one.hosts) or "-"),
            text(w.one_line(one.why) or "-"),
        )
    return made


def _release_state(one: m.ReleaseInfo) -> str:
    states = [
        "current" if one.current else "",
        "previous" if one.previous else "",
        "blocked" if one.blocked else "",
        "good" if one.good and not one.current else "",
        "archive not kept" if one.pruned else "",
    ]
    return ", ".join(state for state in states if state) or "pushed"


def release(one: m.ReleaseInfo) -> RenderableType:
    hooks = one.manifest.hooks.model_dump(exclude_none=True)
    rows = [
        ("release", f"{one.app} {one.version}"),
        ("id", one.id),
        ("sha256", one.digest),
        ("size", w.size(one.size)),
        ("pushed", f"{w.at_day(one.pushed_at)} by {one.pushed_by}{f': {w.one_line(one.why)}' if one.why else ''}"),
        ("state", _release_state(one)),
        ("live on", ", ".join(one.hosts) or "no host"),
        ("health", one.manifest.health or "as agent.toml says"),
        ("version at", one.manifest.version_endpoint or "not asked"),
        ("shared", ", ".join(one.manifest.shared) or "-"),
        ("hooks", w.pairs(hooks) or "-"),
    ]
    if one.blocked:
        rows.append(
            ("blocked", f"{one.blocked}. To allow it: noonday release unblock {one.app} {one.version} --why WHY")
        )
    return labelled(rows)


def history(value: m.Events) -> RenderableType:
    made = table("when", "who", "app", "rollout", "host", "what")
    for event in value.events:
        made.add_row(
            *map(text, (w.at_day(event.at), event.by, event.app, event.rollout, event.host)),
            text(w.one_line(event.words)),
        )
    return made if value.events else text("Nothing has happened yet.")


def doctor(value: m.Doctor) -> RenderableType:
    styles = {"ok": GOOD, "warn": WARN, "fail": BAD}
    made = Table.grid(padding=(0, 2, 0, 0))
    for check in value.checks:
        shown = "FAIL" if check.state == "fail" else check.state
        made.add_row(text(shown, styles[check.state]), text(check.name), text(w.one_line(check.text)))
        if check.next_action:
            made.add_row(Text(), Text(), text(f"Next: {w.one_line(check.next_action)}"))
    return made
