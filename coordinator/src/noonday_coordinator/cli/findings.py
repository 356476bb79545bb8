"""Findings for people: what stands against the release first, what is known last; each with what proves it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from noonday_coordinator.api import models as m
from noonday_coordinator.cli import words as w
from noonday_coordinator.cli.tables import BAD, DIM, WARN, text

SAMPLES = 3
"""Records that are shown of one finding, ..."""
SAMPLE_LINES = 12
"""... and lines of one of them: a trace may have hundreds."""
FEW = 5
"""Known findings that a moving picture has room for."""


def findings(found: Iterable[m.FindingReply], *, brief: bool = False) -> list[RenderableType]:
    """`brief`: for a picture that moves. One line of each sample, and only some of what is known."""
    every = list(found)
    parts: list[RenderableType] = []
    for title, style, known in _TITLES:
        group = [one for one in every if _title(one) == title]
        if not group:
            continue
        parts.append(text(f"{title}:", style))
        shown = group[:FEW] if brief and known else group
        parts += [line for one in shown for line in _finding(one, style, brief=brief, known=known)]
        if len(shown) < len(group):
            parts.append(text(f"  … and {len(group) - len(shown)} more: noonday findings", DIM))
    return parts


def report(value: m.Findings) -> RenderableType:
    if not value.rollout:
        return text(f"No rollout of {value.app} yet, so no findings. Next: noonday deploy {value.app} VERSION --plan")
    parts: list[RenderableType] = [text(_head(value))]
    if value.dry_run:
        parts.append(text(w.dry_run(value.would), WARN))
    parts += findings(value.findings) or [text("Nothing found.")]
    if any(one.blames or one.holds for one in value.findings):
        parts.append(text(f"Known after all? noonday caveats accept {value.app} KEY --reason WHY"))
    return Group(*parts)


def _head(value: m.Findings) -> str:
    others = f", {value.control_requests} on the old release" if value.control_requests else ""
    parts = [f"{value.app} {w.version(value.release)} ({value.rollout}), {value.requests} requests{others}"]
    if value.verdict:
        parts.append(f"{'so far' if value.live else 'verdict'}: {value.verdict}")
    reason = w.one_line(value.verdict_reason).rstrip(".")
    return "; ".join(parts) + (
        f". {reason[0].upper()}{reason[1:]}."
        if reason
        else "."
        if value.verdict
        else "; no verdict yet."
        if value.live
        else "; no verdict."
    )


_AGAINST = "Against the release"
_HOLDS = "On hold, a person should look"
_SHARED = "Not this release, old servers have it too"
_SEEN = "Seen, not held against it"
_CAVEATS = "Caveats, marked by people"
_KNOWN = "Known, never held against it"
_TITLES = (
    (_AGAINST, BAD, False),
    (_HOLDS, WARN, False),
    (_SHARED, WARN, False),
    (_SEEN, "", False),
    (_CAVEATS, DIM, True),
    (_KNOWN, DIM, True),
)


def _title(one: m.FindingReply) -> str:
    if one.blames:
        return _AGAINST
    if one.kind == "shared-trouble" or one.excuse in ("shared", "twin"):
        return _SHARED
    if one.excuse == "caveat":
        return _CAVEATS
    if one.holds:
        return _HOLDS
    return _KNOWN if one.kind == "known-error" else _SEEN


def _finding(one: m.FindingReply, style: str, *, brief: bool, known: bool) -> list[Text]:
    lines = [text(f"  {w.one_line(one.words)}", style)]
    if brief and known:
        return lines
    detail = ", ".join(_details(one))
    if detail:
        lines.append(text(f"    {detail}", DIM))
    if one.nearest:
        lines.append(text(f"    most like the known: {w.one_line(one.nearest)}", DIM))
    # Nobody has to be shown again why what is known is an error, and its traces would hide the rest.
    short = brief or known
    for sample in one.samples[:SAMPLES]:
        every = sample.splitlines()
        told = every[: 1 if short else SAMPLE_LINES]
        lines += [text(f"    | {line}", DIM) for line in told]
        if len(told) < len(every) and not short:
            lines.append(text(f"    | … {len(every) - len(told)} more lines", DIM))
    return lines


def _details(one: m.FindingReply) -> Iterable[str]:
    if one.rate_here or one.rate_there:
        yield f"{w.rate(one.rate_here, one.per, one.unit)} here, {w.rate(one.rate_there, one.per, one.unit)} there"
    if one.e:
        yield f"odds {w.odds(one.e)}"
    if one.first_seen:
        yield f"first seen {w.at_time(one.first_seen)}"
    if one.unit:
        yield f"key {one.key}"
