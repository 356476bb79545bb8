"""An agent killed by SIGKILL in its step while the coordinator lives: it waits, and its history of that is whole.

What each death alone leaves on the host is shown by `test_agent_killed`, with nobody to say an order again; here all
that a rollout is made of looks on.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from chaos.caught import LONG, done_once, starts

from noonday_agent.core.journal import Stage
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not LONG, reason="takes half a minute: make chaos"),
]

STEPS = ["drain", "wait-idle", "switch", "restart", "prove", "warm-up", "return", "confirm"]


@pytest.mark.parametrize(
    "point",
    [f"after:forward:{Stage.DRAIN}", f"before:forward:{Stage.RESTART}", f"before:forward:{Stage.RETURN}"],
    ids=["in the drain", "before the restart", "before the return"],
)
def test_a_rollout_waits_for_an_agent_that_died_in_its_step_and_its_history_is_whole(point: str, fleet: Fleet) -> None:
    fleet.policy(prepare_within=300, host_within=300)
    version, before = fleet.push(), starts(fleet)
    victim = fleet.host("web-2")
    with fleet.load(clients=1) as load:
        victim.crash_file.write_text(f"agent:{point}")
        rollout = fleet.begin(version)
        eventually(lambda: not victim.agent_runs, what=f"the death of web-2's agent {point}", within=WITHIN)
        fleet.until(rollout, lambda info: "web-2" in info.waiting_for, what="that it waits for web-2")
        load.after(20)
        assert fleet.host("web-3").web.answers == before["web-3"][-1], "nobody else is drained meanwhile"
        victim.start_agent()
        end = fleet.until(rollout, lambda info: info.end or info.asked, what="the end")
        load.after(5)
    assert load.failures == []
    done_once(fleet, end, version, before)
    _history_is_whole(fleet, rollout)


def _history_is_whole(fleet: Fleet, rollout: str) -> None:
    """As other programs get it: every host's way to the end, in order, with nothing told twice, and a chain that leads
    to the log's end."""
    assert fleet.ok("audit")["whole"]
    lines = [json.loads(line) for line in fleet.cli("export", rollout).out.splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    assert (lines[0]["export"]["scope"], lines[-1]["end"]["events"]) == (rollout, len(events))
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    kinds = [event["kind"] for event in events]
    assert (kinds[0], kinds.count("rollout-ended")) == ("rollout-started", 1)
    events = events[: kinds.index("rollout-ended")]  # what follows tells the hosts that it is over
    for host in ("web-1", "web-2", "web-3"):
        assert _became(events, host) == ["prepared", "working", "serving"]
        told = [event["data"]["goal"] for event in events if event["kind"] == "assigned" and event["host"] == host]
        assert told == ["prepared", "serving"]
        steps = _steps(events, host)
        assert steps == [step for step in STEPS if step in steps], f"{host} went another way"
        assert (bool(steps), _last_word(events, host)["outcome"]) == (True, "done")


def _became(events: list[dict[str, Any]], host: str) -> list[str]:
    return [event["data"]["state"] for event in events if event["kind"] == "host-judged" and event["host"] == host]


def _steps(events: list[dict[str, Any]], host: str) -> list[str]:
    """The steps that took it out and back, in the order in which they were first reported. One that is over within
    milliseconds may be missing, since only the newest state is sent."""
    return [step for step in dict.fromkeys(report["step"] for report in _reports(events, host)) if step in STEPS]


def _last_word(events: list[dict[str, Any]], host: str) -> dict[str, Any]:
    return _reports(events, host)[-1]


def _reports(events: list[dict[str, Any]], host: str) -> list[dict[str, Any]]:
    said = [event for event in events if event["kind"] == "host-reported" and event["host"] == host]
    return [event["data"]["report"] for event in said]
