"""Commands that start a rollout and answer it."""

from __future__ import annotations

import click

from noonday_coordinator.api.models import DeployAsk, Done, PlanReply, ReconcilePlan, Started, Status, WhyAsk
from noonday_coordinator.cli import words as w
from noonday_coordinator.cli.client import part
from noonday_coordinator.cli.exits import Exit
from noonday_coordinator.cli.session import Session, connected
from noonday_coordinator.cli.session import why as reason
from noonday_coordinator.cli.tables import homecoming as plan_homecoming
from noonday_coordinator.cli.tables import plan as plan_table


@click.command()
@click.argument("app")
@click.argument("version")
@click.option("--plan", "only_plan", is_flag=True, help="Show the plan and change nothing.")
@click.option("--yes", is_flag=True, help="Start without asking.")
@click.option("--no-wait", is_flag=True, help="Return once it is started.")
@click.option("--allow-outage", is_flag=True, help="Let the only host of a fleet be taken out.")
@click.option("--supersede", is_flag=True, help="Take over from a rollout under way.")
@reason
@connected
def deploy(
    session: Session,
    *,
    app: str,
    version: str,
    only_plan: bool,
    yes: bool,
    no_wait: bool,
    allow_outage: bool,
    supersede: bool,
    why: str,
) -> Exit:
    """Release VERSION of APP, and show how it goes.

    First the plan and a question, then the rollout until it ends or asks a person.
    Ctrl-C leaves the view; the rollout goes on.
    """
    ask = DeployAsk(version=w.checked_version(version), allow_outage=allow_outage, supersede=supersede, why=why)
    plan = session.client.post(f"/apps/{part(app)}/plan", PlanReply, ask)
    if only_plan:
        session.out.document(plan, w.nothing_to_do(plan) if plan.nothing_to_do else plan_table(plan))
        return Exit.DONE
    session.out.record("plan", plan)
    if plan.nothing_to_do and not supersede:
        session.out.show(w.nothing_to_do(plan))
        return Exit.PARTLY if plan.skipped else Exit.DONE
    session.out.show(plan_table(plan))
    session.confirm(f"Release {app} {version}?", yes=yes)
    started = session.client.post(f"/apps/{part(app)}/rollouts", Started, ask)
    return _started(session, app, started, no_wait=no_wait)


@click.command()
@click.argument("app")
@reason
@click.option("--yes", is_flag=True, help="Start without asking.")
@click.option("--no-wait", is_flag=True, help="Return once it is started.")
@connected
def rollback(session: Session, *, app: str, why: str, yes: bool, no_wait: bool) -> Exit:
    """Bring APP back to its previous release.

    A rollout under way goes back; otherwise a rollback to the previous release starts.
    """
    session.confirm(f"Roll {app} back?", yes=yes)
    started = session.client.post(f"/apps/{part(app)}/rollback", Started, WhyAsk(why=why))
    code = _started(session, app, started, no_wait=no_wait)
    # What was asked for is that it goes back.
    return Exit.DONE if code is Exit.ROLLED_BACK else code


@click.command()
@click.argument("app", required=False)
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be mended and change nothing.")
@click.option("--yes", is_flag=True, help="Start without asking.")
@click.option("--no-wait", is_flag=True, help="Return once it is started.")
@reason
@connected
def reconcile(session: Session, *, app: str | None, only_plan: bool, yes: bool, no_wait: bool, why: str) -> Exit:
    """Bring hosts to the release of record.

    Those of APP, or of all apps, that serve something else, as after a change by hand:
    one at a time, prepared, drained, switched, proven and returned.
    """
    codes = [Exit.DONE]
    for name in [app] if app else _at_rest(session):
        plan = session.client.post(f"/apps/{part(name)}/reconcile/plan", ReconcilePlan)
        session.out.record("plan", plan)
        session.out.show(plan_homecoming(plan))
        if not only_plan:
            codes.append(_bring_home(session, plan, yes=yes, no_wait=no_wait, why=why))
    return max(codes)


def _at_rest(session: Session) -> list[str]:
    """Apps that have a release of record; one with a rollout under way is named and left out."""
    apps = [one for one in session.client.get("/status", Status).apps if one.current]
    for busy in (one for one in apps if one.rollout):
        session.out.note(f"{busy.app} is left out: {busy.rollout} is under way.")
    return [one.app for one in apps if not one.rollout]


def _bring_home(session: Session, plan: ReconcilePlan, *, yes: bool, no_wait: bool, why: str) -> Exit:
    if plan.hosts:
        session.confirm(f"Bring {', '.join(one.host for one in plan.hosts)} to {plan.release.version}?", yes=yes)
        started = session.client.post(f"/apps/{part(plan.app)}/reconcile", Started, WhyAsk(why=why))
        code = _started(session, plan.app, started, no_wait=no_wait)
    else:
        code = Exit.DONE
    return Exit.PARTLY if code is Exit.DONE and plan.not_now else code


@click.command()
@click.argument("app")
@reason
@connected
def promote(session: Session, app: str, why: str) -> None:
    """Answer yes, or skip the rest of the examine.

    Answers what the rollout of APP asks, or ends its examine now.
    """
    _command(session, app, "promote", why)


@click.command()
@click.argument("app")
@reason
@connected
def abort(session: Session, app: str, why: str) -> None:
    """Stop a rollout and bring its hosts back.

    The release of APP is not blocked by it.
    """
    _command(session, app, "abort", why)


@click.command()
@click.argument("app")
@reason
@connected
def pause(session: Session, app: str, why: str) -> None:
    """Drain no further host until `resume`.

    What is under way on a host of APP is finished, and judging goes on.
    """
    _command(session, app, "pause", why)


@click.command()
@click.argument("app")
@reason
@connected
def resume(session: Session, app: str, why: str) -> None:
    """Let a paused rollout of APP go on."""
    _command(session, app, "resume", why)


def _command(session: Session, app: str, verb: str, why: str) -> None:
    done = session.client.post(f"/apps/{part(app)}/{verb}", Done, WhyAsk(why=why))
    session.out.document(done, done.words)


def _started(session: Session, app: str, started: Started, *, no_wait: bool) -> Exit:
    session.out.record("started", started)
    session.out.show(started.words)
    if started.rollout is None:
        return Exit.DONE
    if no_wait:
        session.out.note(f"Next: noonday show {started.rollout} --follow")
        return Exit.DONE
    return session.follow(started.rollout, app)
