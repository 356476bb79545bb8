"""What to send: derived from the state, never queued beside it. An assignment is said again until it is taken up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from noonday_coordinator.core.events import Assigned
from noonday_coordinator.core.lost import valid_until
from noonday_coordinator.core.state import AppOnHost, State
from noonday_coordinator.core.view import View
from noonday_shared.messages import Assignment, Goal
from noonday_shared.names import ReleaseRef

FIRST_REPEAT = 2.0
LONGEST_REPEAT = 30.0
VALID = 900.0
"""Seconds after which an assignment that is still on its way has no effect any more, at the latest."""


@dataclass(slots=True)
class _Said:
    """What was last sent to one host for one app."""

    number: tuple[int, int]
    watch_until: float
    at: float
    wait: float = FIRST_REPEAT
    until: float = 0.0
    """When the last of it expires, under any number, that would take the host out; 0 once it was taken up."""


class Outgoing:
    """Used by one thread. Remembers only when it said what, so that a restart says everything once more."""

    def __init__(self, source: Callable[[str, ReleaseRef], str]) -> None:
        self._source = source
        self._said: dict[tuple[str, str], _Said] = {}

    def due(self, state: State, view: View, now: float) -> Iterator[Assignment]:
        """The assignments to send now."""
        for host in state.hosts.values():
            for app, on_host in host.apps.items():
                assigned = on_host.assigned
                if assigned is None:
                    continue
                until = valid_until(state, view, host.name, app, now, VALID)
                if until > now and self._is_due(state, host.name, app, on_host, assigned, now):
                    self._note(self._said[host.name, app], assigned, on_host, until)
                    yield self._assignment(state, assigned, now, until, taken=on_host.taken)

    @property
    def on_its_way(self) -> dict[tuple[str, str], float]:
        """By host and app: until when what was sent, and would take the host out, may be taken up."""
        return {one: said.until for one, said in self._said.items()}

    def in_vain(self, view: View, assignment: Assignment) -> bool:
        """Whether a host that is heard has not taken it up for so long that its queue may be gone."""
        said = self._said.get((assignment.host, assignment.app))
        heard = view.silent_for(assignment.host, assignment.issued_at) < LONGEST_REPEAT
        return said is not None and said.wait >= LONGEST_REPEAT and heard

    def clock_set(self, by: float) -> None:
        """The clock was set `by` so many seconds; what was said does not wait longer for that."""
        for said in self._said.values():
            said.at += by
            said.until += by

    def _note(self, said: _Said, assigned: Assigned, on_host: AppOnHost, until: float) -> None:
        if assigned.goal is not Goal.PREPARED and not (on_host.taken or _stays(assigned, on_host)):
            said.until = max(said.until, until)

    def _is_due(self, state: State, host: str, app: str, on_host: AppOnHost, assigned: Assigned, now: float) -> bool:
        number = (state.term, assigned.generation)
        watch = state.app(app).watch_until
        said = self._said.get((host, app))
        if said is not None and on_host.taken:
            said.until = 0.0
        if said is None or said.number != number or (said.watch_until != watch and watch > now):
            self._said[host, app] = _Said(number, watch, now, until=said.until if said else 0.0)
            return True
        if _taken(state, on_host, assigned) or now < said.at + said.wait:
            return False
        said.at, said.wait = now, min(said.wait * 2, LONGEST_REPEAT)
        return True

    def _assignment(self, state: State, assigned: Assigned, now: float, until: float, *, taken: bool) -> Assignment:
        return Assignment(
            app=assigned.app,
            host=assigned.host,
            term=state.term,
            generation=assigned.generation,
            goal=assigned.goal,
            release=assigned.release,
            source=self._source(assigned.app, assigned.release) if assigned.release else "",
            previous=assigned.previous,
            rollout=assigned.rollout,
            restart_for=assigned.restart_for,
            deadline=assigned.deadline,
            issued_at=now,
            expires_at=until,
            observe=assigned.observe,
            stay=_stays(assigned, state.hosts[assigned.host].app(assigned.app)),
            taken=taken,
            watch_until=state.app(assigned.app).watch_until,
        )


def _stays(assigned: Assigned, on_host: AppOnHost) -> bool:
    """Whether the host is to say so, rather than to leave, where it has another release than it is told to serve."""
    if not assigned.rollout:
        # An operator let it in again, and its disk was put back since: others' may have been too, and no rollout makes
        # room for any of them. Once it has said so, it comes home in its turn.
        return assigned.goal is Goal.SERVING and on_host.would_change and on_host.in_service
    return assigned.stay and not on_host.would_change


def _taken(state: State, on_host: AppOnHost, assigned: Assigned) -> bool:
    report = on_host.report
    return report is not None and (report.term, report.generation) == (state.term, assigned.generation)
