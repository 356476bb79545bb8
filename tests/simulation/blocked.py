"""Rule 3: what was rolled back, by the verdict or by a person, is not rolled out again until a person says so."""

from __future__ import annotations

from simulation.trail import Broken

from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import Rollout, State
from noonday_shared.messages import Goal


class Blocked:
    def __init__(self) -> None:
        self._versions: set[str] = set()

    def recorded(self, state: State, event: e.Event) -> None:
        match event:
            case e.RolloutStarted() as started if started.kind == "deploy":
                if started.release.version in self._versions:
                    raise Broken(
                        f"rule 3: {started.release} was rolled back and is rolled out again in {started.rollout}"
                    )
            case e.RolloutEnded(rollout, end):
                self._ended(state.rollouts[rollout], end)
            case e.ReleaseUnblocked(_, release):
                self._versions.discard(release.version)
            case e.Assigned() as told:
                self._told(state, told)

    def _ended(self, rollout: Rollout, end: e.End) -> None:
        """A person's rollback blocks what it leaves, also where it does not get to its end."""
        if rollout.release == rollout.previous:
            return
        moved = any(member.moved for member in rollout.hosts.values())
        if end is e.End.ROLLED_BACK:
            self._versions.add(rollout.release.version)
        elif rollout.kind == "rollback" and rollout.previous is not None and moved:
            self._versions.add(rollout.previous.version)

    def _told(self, state: State, told: e.Assigned) -> None:
        """Nobody is told to go to such a release while there is another one of record."""
        rollout, app = state.rollouts.get(told.rollout), state.app("web")
        forward = rollout is None or (rollout.kind != "rollback" and told.release == rollout.release)
        goes = told.goal is Goal.SERVING and forward and not (told.stay or told.restart_for)
        back = told.release is not None and told.release.version in self._versions
        if goes and back and not app.is_blocked(app.current):
            raise Broken(f"rule 3: {told.host} is told to serve {told.release}, which was rolled back")
