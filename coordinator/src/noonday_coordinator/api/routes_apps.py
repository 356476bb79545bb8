"""An app's releases, findings and logs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from noonday_coordinator.api import models as m
from noonday_coordinator.api import show, show_rollout
from noonday_coordinator.api.auth import Caller, Ctx
from noonday_coordinator.api.errors import not_found
from noonday_coordinator.api.new_lines import is_new, newest_release
from noonday_coordinator.api.routes_rollouts import After, Limit, newest
from noonday_coordinator.core.commands import Unblock, WatchLogs
from noonday_coordinator.words import say_all

router = APIRouter(prefix="/apps/{app}", tags=["apps"])

_WATCH = 30.0
_RENEW = 15.0


@router.get("/releases")
def releases(app: str, context: Ctx, _: Caller) -> m.Releases:
    """Newest push first."""
    state = context.engine.state
    context.known(app)
    found = sorted(state.app(app).releases.values(), key=lambda release: release.pushed_at, reverse=True)
    return m.Releases(app=app, releases=tuple(show.release(state, state.app(app), release) for release in found))


@router.get("/releases/{version}")
def release(app: str, version: str, context: Ctx, _: Caller) -> m.ReleaseInfo:
    state = context.engine.state
    context.known(app)
    found = state.app(app).releases.get(version)
    if found is None:
        known = ", ".join(sorted(state.app(app).releases)) or "none"
        text = f"{app} {version[:80]} was not pushed (pushed: {known})."
        raise not_found("no-such-release", text, "noonday release push FILE")
    return show.release(state, state.app(app), found)


@router.post("/releases/{version}/unblock")
def unblock(app: str, version: str, ask: m.WhyAsk, context: Ctx, by: Caller) -> m.Done:
    """Let a release that was rolled back be rolled out again."""
    context.known(app)
    return m.Done(words=say_all(context.submit(Unblock(app, version, ask.why), by)))


@router.get("/findings")
def findings(app: str, context: Ctx, _: Caller) -> m.Findings:
    """Of the app's newest rollout."""
    context.known(app)
    found = next(iter(newest(context.engine.state, app)), None)
    return show_rollout.findings(context, found) if found else m.Findings(app=app)


@router.get("/logs")
def logs(
    app: str,
    context: Ctx,
    by: Caller,
    host: Annotated[str | None, Query(description="only this host's lines")] = None,
    only_new: Annotated[bool, Query(description="only lines whose kind is new with the newest release")] = False,
    after: After = 0,
    limit: Limit = 500,
) -> m.Logs:
    """Newest lines, or those after `after`. Asking keeps the app's hosts sending for half a minute more."""
    state, now = context.engine.state, context.clock.now()
    context.known(app)
    if host is not None and host not in state.hosts:
        raise not_found("not-enrolled", f"{host[:80]} is not enrolled.", "noonday hosts")
    if state.app(app).watch_until - now < _RENEW:
        context.submit(WatchLogs(app, now + _WATCH), by)
    release = newest_release(context, app) if only_new else None
    wanted = is_new(context, state.app(app), release) if release else lambda _: True
    lines = tuple(
        m.LogLineReply(seq=line.seq, at=line.at, host=line.host, release=line.release, text=line.text, key=line.key)
        for line in context.lines.after(app, after, host, limit, wanted)
    )
    new_with = release.version if release else ""
    return m.Logs(app=app, lines=lines, last=lines[-1].seq if lines else after, new_with=new_with)
