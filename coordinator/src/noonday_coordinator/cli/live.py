"""One rollout as a picture: a pure function from the API's model to a renderable. `follow.py` keeps it moving."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from noonday_coordinator.api.models import HostInRollout, RolloutInfo
from noonday_coordinator.cli import words as w
from noonday_coordinator.cli.findings import findings
from noonday_coordinator.cli.tables import BAD, DIM, GOOD, WARN, table, text

_STATES = {
    "serving": GOOD,
    "working": WARN,
    "reverted": BAD,
    "failed": BAD,
    "going-back": WARN,
    "back": WARN,
    "lost": BAD,
    "kept": BAD,
    "skipped": WARN,
}


def view(info: RolloutInfo, *, away: str = "", whole: bool = False) -> RenderableType:
    """Header, hosts, findings. `away`: why what is shown may be old; empty while the coordinator answers. `whole`: it
    does not move, so there is room for all of it."""
    parts: list[RenderableType] = [*_header(info), Text(), _hosts(info)]
    if whole and info.policy:
        parts += [Text(), *(text(f"Judged: {line}.", DIM) for line in info.policy)]
    found = findings(info.findings, brief=not whole)
    if found:
        parts += [Text(), *found]
    if away:
        parts += [Text(), text(away, WARN)]
    return Group(*parts)


def _header(info: RolloutInfo) -> list[RenderableType]:
    word = {"rollback": "Rollback to", "reconcile": "Homecoming to"}.get(info.kind, "Release")
    lines: list[RenderableType] = [
        Text.assemble(
            (w.clean(f"{word} {w.change(info)}"), "bold"),
            (f"  {info.id}, started {w.at_time(info.started_at)} by {w.clean(info.by)}", DIM),
        )
    ]
    if info.why:
        lines.append(text(f"Why: {w.one_line(info.why)}", DIM))
    if info.dry_run:
        lines.append(text(w.dry_run(info.would), WARN))
    if info.end:
        return [*lines, text(w.ending(info), GOOD if info.end == "done" else BAD)]
    lines.append(text(w.stage_line(info)))
    if info.judgement:
        lines.append(text(f"Verdict so far: {info.judgement}. {w.one_line(info.verdict_reason)}"))
    if w.needs_person(info):
        lines.append(text(f"Waits for a person: {w.question(info)}", WARN))
        lines.append(text(f"Answer: {w.answers(info.app)}", WARN))
    elif info.paused_by:
        lines.append(text(f"Goes on with: noonday resume {info.app}", WARN))
    elif info.waiting_for or info.reason:
        lines.append(text(f"Waits: {w.one_line(info.waiting_for or info.reason)}"))
    return lines


def _hosts(info: RolloutInfo) -> RenderableType:
    made = table("host", "wave", "state", "step", "release", "in LB", "out for", right=("out for",))
    for host in info.hosts:
        made.add_row(*_row(host))
        trouble = host.reason or (host.report.trouble if host.report else "")
        if trouble and host.state in ("reverted", "failed", "going-back", "back", "lost", "kept", "skipped"):
            made.add_row(Text(), Text(), text(w.one_line(trouble), BAD))
    return made


def _row(host: HostInRollout) -> list[Text]:
    report = host.report
    in_service = report.in_service if report else None
    out = report.seconds_out if report else 0.0
    return [
        text(host.host),
        text(f"{w.wave_name(host.wave)}{f', {host.group}' if host.group else ''}"),
        text(host.state, _STATES.get(host.state, "")),
        text(w.host_step(report, host.silent)),
        text((report.live if report else "") or "-"),
        text(w.yes_no(in_service), "" if in_service else WARN),
        text(w.duration(out) if out else "-"),
    ]
