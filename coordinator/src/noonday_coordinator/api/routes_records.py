"""What was kept: the whole log for other programs, and whether it is as it was written."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from noonday_coordinator.api import models as m
from noonday_coordinator.api.auth import Caller, Ctx
from noonday_coordinator.api.export import export as lines
from noonday_coordinator.api.routes_rollouts import found_rollout
from noonday_coordinator.store.chain import Audit, Head
from noonday_coordinator.store.log_file import audit_file
from noonday_shared.errors import BadInput

router = APIRouter(tags=["records"])


@router.get("/export", response_class=StreamingResponse)
def export(context: Ctx, _: Caller, rollout: str = "", app: str = "") -> StreamingResponse:
    """JSON lines: every record of one rollout, of one app, or of everything, host by host, with who, when and why."""
    state = context.engine.state
    if rollout:
        chosen, scope = [found_rollout(state, rollout)], rollout
    else:
        known = context.known(app) if app else ""
        chosen = [one for one in state.rollouts.values() if known in ("", one.app)]
        scope = known or "all"
    return StreamingResponse(
        lines(context, chosen, scope=scope, rollout=rollout, app=app if not rollout else ""),
        media_type="application/x-ndjson",
    )


@router.get("/audit")
def audit(
    context: Ctx, _: Caller, head: Annotated[str, Query(description="one that was noted before, as in 17:3f6c…")] = ""
) -> m.AuditReply:
    """Look along the whole chain of the event log; may take seconds."""
    return audited(audit_file(context.log.path, noted(head)))


def noted(text: str) -> Head | None:
    """The head that a person noted; None when none was given. Raises `BadInput`."""
    found = Head.parse(text)
    if text and found is None:
        raise BadInput(
            f"{text[:90]!r} is no head of an event log.", next_action="give one as 'noonday audit' prints it"
        )
    return found


def audited(found: Audit) -> m.AuditReply:
    return m.AuditReply(
        whole=not found.words,
        records=found.records,
        chained_from=found.chained_from,
        head=str(found.head),
        broken=found.broken,
        words=found.words,
    )
