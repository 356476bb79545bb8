"""Which lines are new with a release: their kind of record was on no good release before."""

from __future__ import annotations

from collections.abc import Callable

from noonday_coordinator.api.context import Context
from noonday_coordinator.core.state import App
from noonday_coordinator.evidence_desk import unproven
from noonday_coordinator.store.lines import StoredLine
from noonday_shared.errors import BadInput
from noonday_shared.names import ReleaseRef


def newest_release(context: Context, app: str) -> ReleaseRef:
    """The one that is rolled out now, else the release of record. Raises `BadInput` when there is none."""
    rollout = context.engine.state.active(app)
    found = rollout.release if rollout and rollout.kind == "deploy" else context.engine.state.app(app).current
    if found is None:
        text = f"{app} has no release yet, so no line can be new with one."
        raise BadInput(text, rule="no-release", next_action=f"noonday deploy {app} VERSION, or noonday logs {app}")
    return found


def is_new(context: Context, app: App, release: ReleaseRef) -> Callable[[StoredLine], bool]:
    """Written by `release`, and of a kind that no other release showed which may be trusted."""
    catalogue = context.catalogue.frozen(app.name, unproven(app) | {release.id})
    return lambda line: line.release == release.id and bool(line.key) and catalogue.known(line.key) is None
