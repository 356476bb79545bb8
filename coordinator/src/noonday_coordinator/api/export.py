"""The event log as JSON lines, for other programs and for the years.

    {"export": {"format", "version", "at", "scope"}}        first
    {"rollout": {…}}                                        each rollout, as `noonday show --json` tells it
    {"event": {"seq", "at", "by", "kind", "words", "app", "rollout", "host", "data", "hash"}}   oldest first
    {"end": {"rollouts", "events", "last", "hash"}}         last; where it is missing, the answer was cut off

Keys may be added, but never change their meaning or go away; `format` would grow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from noonday_coordinator.api import show, show_rollout
from noonday_coordinator.api.context import VERSION, Context
from noonday_coordinator.core.state import Rollout
from noonday_coordinator.store.event_log import Kept

FORMAT = 1
PAGE = 500
"""Records that are in memory at once."""


def export(context: Context, rollouts: Sequence[Rollout], *, scope: str, rollout: str, app: str) -> Iterator[str]:
    """The lines; of one rollout, of one app, or of all when both are empty."""
    head = {"format": FORMAT, "version": VERSION, "at": context.clock.now(), "scope": scope}
    yield _line("export", head)
    for one in rollouts:
        yield _line("rollout", show_rollout.whole(context, context.engine.state, one).model_dump(mode="json"))
    events, last, made = 0, 0, ""
    while page := context.log.kept(rollout=rollout, app=app, after=last, limit=PAGE):
        for kept in page:
            yield _line("event", _event(kept))
        events, last, made = events + len(page), page[-1].record.seq, page[-1].hash
    yield _line("end", {"rollouts": len(rollouts), "events": events, "last": last, "hash": made})


def _event(kept: Kept) -> dict[str, Any]:
    shown = show.record(kept.record, app=kept.app, rollout=kept.rollout).model_dump(mode="json")
    return {**shown, "hash": kept.hash}


def _line(name: str, value: dict[str, Any]) -> str:
    # ASCII alone: some characters of a record would be taken for the end of a line.
    return json.dumps({name: value}, ensure_ascii=True) + "\n"
