"""What `noonday replay` shows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from noonday_coordinator.api.models import FindingReply
from noonday_coordinator.api.models_replay import KeptVerdict, Replay
from noonday_coordinator.cli import words as w
from noonday_coordinator.cli.findings import findings
from noonday_coordinator.cli.tables import BAD, DIM, GOOD, WARN, labelled, text

if TYPE_CHECKING:
    from noonday_coordinator.replay.logs import Outcome
    from noonday_coordinator.replay.sides import Sample

_STYLES = {"promote": GOOD, "roll back": BAD, "hold": WARN}


def rollout(value: Replay) -> RenderableType:
    head = (
        f"{value.app} {w.version(value.release)} ({value.rollout}), {w.count_of(value.windows, 'window')} judged again"
    )
    parts: list[RenderableType] = [text(f"{head}{' by another policy' if value.by_policy else ''}.")]
    parts += [text(line, style) for line, style in (_by_policy(value) if value.by_policy else _compared(value))]
    parts += [Text(), text("What the evidence said, and from when on:")]
    parts += [text(f"  {line}") for line in _changes(value)]
    parts += [text(f"  until {w.at_time(value.until)}; nobody knows what would have come after", DIM)]
    return Group(*parts, Text(), *(findings(value.findings) or [text("Nothing found.")]))


def logs(outcome: Outcome) -> RenderableType:
    from noonday_coordinator.replay.notes import notes_on  # noqa: PLC0415  # as in `replay`

    rows = [
        ("old", _side(outcome.old)),
        ("new", _side(outcome.new)),
        ("aligned", _aligned(outcome)),
        ("history", outcome.history),
    ]
    parts: list[RenderableType] = [labelled(rows), Text()]
    parts.append(
        text(f"Verdict: {outcome.verdict}. {w.one_line(outcome.reason).rstrip('.')}.", _STYLES[outcome.verdict])
    )
    if outcome.at is not None and outcome.new.begin is not None:
        after = w.duration(outcome.at - outcome.new.begin)
        parts.append(text(f"It would have gone back at {w.at_day(outcome.at)}, {after} after its first line."))
    parts += [Text(), *(findings(_replies(outcome)) or [text("Nothing found.")])]
    notes = notes_on(outcome)
    if notes:
        parts += [Text(), text("To know:"), *(text(f"  {w.one_line(note)}", DIM) for note in notes)]
    return Group(*parts)


def document(outcome: Outcome) -> dict[str, Any]:
    from noonday_coordinator.replay.notes import notes_on  # noqa: PLC0415  # as in `replay`

    raw = asdict(outcome)
    raw["findings"] = [one.model_dump(mode="json") for one in _replies(outcome)]
    return {**raw, "notes": notes_on(outcome)}


def _replies(outcome: Outcome) -> list[FindingReply]:
    undated = outcome.new.begin is None
    return [
        FindingReply.model_validate({**asdict(one), "first_seen": None if undated else one.first_seen or None})
        for one in outcome.findings
    ]


def _aligned(outcome: Outcome) -> str:
    # Without times the length of a window is that of none.
    dated = outcome.new.begin is not None
    return f"{outcome.alignment}; windows of {outcome.window:g} s" if dated else outcome.alignment


def _side(side: Sample) -> str:
    when = f", {w.at_day(side.begin)} to {w.at_day(side.end)}" if side.begin is not None else ""
    counts = f"{side.requests:,} requests, {side.records:,} records"
    return f"{side.path}: {w.count_of(len(side.hosts), 'host')} ({side.rule}), {counts}{when}"


def _compared(value: Replay) -> Iterator[tuple[str, str]]:
    if not value.kept:
        yield "No verdict that came from evidence is on record, so there is nothing to compare with.", ""
    for one in value.kept:
        yield from _kept(one)


def _kept(one: KeptVerdict) -> Iterator[tuple[str, str]]:
    said = f"The verdict of {w.at_time(one.at)}, {one.verdict}"
    if one.differs:
        yield f"{said}: not the same. {'; '.join(map(w.one_line, one.differs))}.", BAD
        return
    yield f"{said}: the same, bit for bit.", GOOD
    if one.again != one.verdict:
        yield f"  It was decided otherwise than by the evidence, which said {one.again}: {w.one_line(one.reason)}", ""


def _by_policy(value: Replay) -> Iterator[tuple[str, str]]:
    said = f"By this policy: {value.verdict}. {w.one_line(value.reason).rstrip('.')}."
    yield said, _STYLES[value.verdict]
    if not value.decided:
        yield "No verdict is on record to compare it with.", ""
    elif value.same:
        yield f"As it was decided at {w.at_time(value.decided_at or 0.0)}.", ""
    else:
        yield f"It was decided otherwise at {w.at_time(value.decided_at or 0.0)}: {value.decided}.", WARN


def _changes(value: Replay) -> Iterator[str]:
    for one in value.changes:
        after = w.duration(max(one.at - value.started_at, 0.0))
        yield f"{w.at_time(one.at)}  {one.verdict}, {after} after the start: {w.one_line(one.reason)}"
    if not value.changes:
        yield "nothing: it ended before any of its hosts served the new release"
