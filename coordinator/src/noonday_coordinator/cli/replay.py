"""`noonday replay`: a rollout judged once more, or plain log files judged without any agent."""

from __future__ import annotations

from pathlib import Path

import click

from noonday_coordinator.api.models_replay import Replay, ReplayAsk
from noonday_coordinator.cli import replay_view as view
from noonday_coordinator.cli.client import part
from noonday_coordinator.cli.exits import Exit
from noonday_coordinator.cli.session import Session, connected
from noonday_coordinator.core.policy import Policy
from noonday_shared.config import load_toml
from noonday_shared.errors import BadInput

WITHIN = 300.0
"""Seconds for the coordinator to judge a long rollout again."""
_FOLDER = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("rollout", required=False)
@click.option("--logs", nargs=2, type=_FOLDER, metavar="DIR_OLD DIR_NEW", help="Judge plain log files instead.")
@click.option("--policy", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Judge by this policy.")
@connected
def replay(session: Session, *, rollout: str | None, logs: tuple[Path, Path] | None, policy: Path | None) -> Exit:
    """Judge once more what was seen.

    ROLLOUT by what the coordinator kept of it: status 0 when it says the same, 4 when not. With --logs the logs of an
    old and a new release, without coordinator or agent: status 0 promote, 3 roll back, 5 hold.
    """
    if (rollout is None) == (logs is None):
        raise BadInput(
            "replay takes a rollout, or --logs with two folders.",
            rule="usage",
            next_action="noonday replay r7, or noonday replay --logs DIR_OLD DIR_NEW",
        )
    other = load_toml(policy, Policy) if policy else None
    if logs is not None:
        return _logs(session, *logs, other)
    value = session.client.post(
        f"/rollouts/{part(rollout or '')}/replay", Replay, ReplayAsk(policy=other), within=WITHIN
    )
    session.out.document(value, view.rollout(value))
    return Exit.DONE if value.same else Exit.FAILED


def _logs(session: Session, old: Path, new: Path, policy: Policy | None) -> Exit:
    # Only this needs the verdict's own parts; other commands start faster without them.
    from noonday_coordinator.replay.logs import judge_logs  # noqa: PLC0415

    outcome = judge_logs(old, new, policy)
    session.out.document(view.document(outcome), view.logs(outcome))
    return {"promote": Exit.DONE, "roll back": Exit.ROLLED_BACK, "hold": Exit.ASKS}[outcome.verdict]
