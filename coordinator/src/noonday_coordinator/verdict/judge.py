"""Opens sessions, and replays them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import AppOnHost, HostState, InRollout, Rollout
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.session import RolloutSession
from noonday_coordinator.verdict.window import Window

Reported = tuple[Rollout, Mapping[str, AppOnHost]]


class EvidenceJudge:
    """Units, an e-process for each, and what may excuse them."""

    def open(self, trial: Trial) -> RolloutSession:
        return RolloutSession(trial)


def replay(
    trial: Trial,
    windows: Iterable[Window],
    policy: Policy | None = None,
    reported: Callable[[float], Reported] | None = None,
) -> list[tuple[float, Judgement]]:
    """The judgement at the end of each window, under the trial's own policy or another: the same, bit for bit.

    `reported`: what the event log says of the rollout and its hosts at an instant, for the hard limits; without it,
    hosts serve what their evidence says and are well.
    """
    again = replace(trial, rollout=replace(trial.rollout, policy=policy)) if policy else trial
    session = RolloutSession(again)
    found = []
    for window in windows:
        session.advance(window)
        rollout, hosts = reported(window.ends) if reported else _by_evidence(session)
        rollout = replace(rollout, policy=again.rollout.policy)
        found.append((window.ends, session.judgement(rollout, hosts, window.ends)))
    return found


def _by_evidence(session: RolloutSession) -> Reported:
    rollout = session.trial.rollout
    states = {
        host: InRollout(HostState.SERVING if host in session.serving else HostState.PREPARED)
        for host in rollout.members
    }
    return replace(rollout, hosts=states), {}
