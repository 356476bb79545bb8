"""What an operator's drain means for each app of a host, whether Noonday ever released it or not."""

from __future__ import annotations

import pytest

from noonday_coordinator.core.commands import DrainHost
from noonday_coordinator.core.decide import decide
from noonday_coordinator.core.events import Assigned, Event, Record, Report
from noonday_coordinator.core.evolve import evolve
from noonday_coordinator.core.plan import none_under_way
from noonday_coordinator.core.state import App, AppOnHost, Host, State
from noonday_coordinator.core.submit import submit
from noonday_coordinator.core.view import View
from noonday_shared.errors import BadInput
from noonday_shared.messages import Goal, Outcome, Phase
from noonday_shared.names import ReleaseRef

HEARD = View(last_seen={"web-1": 1.0, "web-2": 1.0})
RELEASE = ReleaseRef(version="1.0.0", digest="a" * 64)


def reported(proven: ReleaseRef | None, *, in_service: bool) -> AppOnHost:
    """Healthy when it is in service."""
    report = Report(1, 1, 1, 0, Outcome.NONE, Phase.SETTLED, proven=proven, in_service=in_service, healthy=in_service)
    return AppOnHost(report=report)


def fleet(*, api_in_service: bool) -> State:
    """Two hosts: their `web` is Noonday's, their `api` was never released."""
    apps = {"web": reported(RELEASE, in_service=True), "api": reported(None, in_service=api_in_service)}
    hosts = {name: Host(name, {}, "", apps) for name in ("web-1", "web-2")}
    return State(term=1, hosts=hosts, apps={"web": App("web", current=RELEASE)})


def after(state: State, *events: Event) -> State:
    for event in events:
        state = evolve(state, Record(seq=1, at=1.0, by="admin", event=event))
    return state


def drained(state: State) -> tuple[State, dict[str, Goal]]:
    """The state once web-2 is drained and all that follows is done; and what it is told, by app."""
    state = after(state, *submit(state, HEARD, DrainHost("web-2"), now=1.0, by="admin"))
    told = [event for event in decide(state, HEARD, 1.0) if isinstance(event, Assigned)]
    assert {event.host for event in told} == {"web-2"}
    return after(state, *told), {event.app: event.goal for event in told}


def test_an_app_that_was_never_released_is_not_told_to_leave() -> None:
    state, told = drained(fleet(api_in_service=False))
    assert told == {"web": Goal.OUT}
    assert decide(state, HEARD, 2.0) == []
    none_under_way(state, "api")


def test_a_host_that_serves_what_noonday_never_released_is_not_drained() -> None:
    with pytest.raises(BadInput) as refusal:
        drained(fleet(api_in_service=True))
    assert refusal.value.rule == "not-released"
