"""What is claimed of times, measured on a real fleet and printed: an abort, an agent that died, and steps that hang."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from chaos.caught import ALL, LONG, silent

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN

pytestmark = [pytest.mark.timeout(400), pytest.mark.skipif(not LONG, reason="times are measured by: make chaos")]

ABORT, NOTICED, BEYOND = 5.0, 30.0, 5.0
"""Seconds: the bars."""
HOOK = {"hooks/pre": "#!/bin/sh\nexec sleep 600\n"}
PRE, POST = '[hooks]\npre_activate = "hooks/pre"\n', '[hooks]\npost_activate = "hooks/pre"\n'


def in_a_hook_before_the_drain(fleet: Fleet) -> str:
    rollout = fleet.begin(fleet.push(toml=PRE, files=HOOK))
    eventually(lambda: fleet.told("web-1").step == "pre-activate", what="the hook", within=WITHIN)
    return rollout


def in_a_hook_after_the_restart(fleet: Fleet) -> str:
    rollout = fleet.begin(fleet.push(toml=POST, files=HOOK))
    eventually(lambda: fleet.told("web-1").step == "post-activate", what="the hook", within=WITHIN)
    return rollout


def in_the_restart_of_an_app_that_is_slow_to_stop(fleet: Fleet) -> str:
    fleet.host("web-1").web.behave("lingers")
    rollout = fleet.begin(fleet.push())
    eventually(lambda: fleet.told("web-1").step == "restart", what="the restart", within=WITHIN, every=0.01)
    return rollout


def in_the_proof_of_an_app_that_is_slow_to_start(fleet: Fleet) -> str:
    rollout = fleet.begin(fleet.push("slow 60"))
    eventually(lambda: fleet.told("web-1").step == "prove", what="the proof", within=WITHIN, every=0.01)
    return rollout


def in_the_warm_up(fleet: Fleet) -> str:
    rollout = fleet.begin(fleet.push("sick"))
    eventually(lambda: fleet.told("web-1").step == "warm-up", what="the warm-up", within=WITHIN)
    return rollout


def in_the_examine(fleet: Fleet) -> str:
    fleet.policy(examine=600)
    rollout = fleet.begin(fleet.push())
    fleet.until(rollout, lambda info: info.stage == "examining", what="the examine")
    return rollout


MOMENTS = [
    in_a_hook_before_the_drain,
    in_the_restart_of_an_app_that_is_slow_to_stop,
    in_the_proof_of_an_app_that_is_slow_to_start,
    in_a_hook_after_the_restart,
    in_the_warm_up,
    in_the_examine,
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_abort_takes_effect_within_seconds_whatever_the_host_does(
    moment: Callable[[Fleet], str], fleet: Fleet
) -> None:
    host = fleet.host("web-1")
    with host.edited("hooks = { within = 2.0 }", "hooks = { within = 600.0 }"):
        host.start_agent()
        eventually(lambda: silent(fleet, host) < 2, what="web-1 heard", within=WITHIN)
        rollout = moment(fleet)
        began = time.monotonic()
        fleet.ok("abort", "web")
        eventually(lambda: _turned(fleet, rollout), what="a host that turned back", within=WITHIN, every=0.02)
        turned = time.monotonic() - began
        end = fleet.until(rollout, lambda info: info.end, what="the end")
    host.web.behave()
    words = moment.__name__.replace("_", " ")
    print(f"abort {words}: the host turned back after {turned:.2f} s, all ended after {time.monotonic() - began:.2f} s")
    assert end.end == "aborted", end.reason
    assert turned <= ABORT
    assert fleet.in_service() == ALL


def test_agents_that_died_are_noticed_in_time(fleet: Fleet) -> None:
    began = {}
    for host in fleet.hosts:
        host.kill_agent()
        began[host.name] = time.monotonic()
    noticed: dict[str, float] = {}

    def all_noticed() -> bool:
        for check in fleet.get("/doctor", m.Doctor).checks:
            name = check.name.removeprefix("host ")
            if name in began and "was not heard for" in check.text:
                noticed.setdefault(name, time.monotonic() - began[name])
        return len(noticed) == len(began)

    eventually(all_noticed, what="three dead agents", within=WITHIN, every=0.1)
    for host in fleet.hosts:
        host.start_agent()
    print(
        f"dead agents named after {', '.join(f'{seconds:.1f} s' for seconds in noticed.values())} (n = {len(noticed)})"
    )
    assert max(noticed.values()) <= NOTICED


@pytest.mark.parametrize(
    ("mode", "toml", "step", "within"),
    [("sick", "", "warm-up", 15.0), ("healthy", PRE, "pre-activate", 2.0), ("healthy", POST, "post-activate", 2.0)],
)
def test_a_step_that_hangs_ends_soon_after_its_deadline(
    mode: str, toml: str, step: str, within: float, fleet: Fleet
) -> None:
    rollout = fleet.begin(fleet.push(mode, toml=toml, files=HOOK if toml else {}))
    eventually(lambda: fleet.told("web-1").step == step, what=step, within=WITHIN, every=0.01)
    end = fleet.until(rollout, lambda info: info.end, what="the end")
    took = fleet.told("web-1").timings[step]
    print(f"{step} with {within:g} s ended after {took:.2f} s")
    assert end.end == "rolled-back", end.reason
    assert within <= took <= within + BEYOND
    assert fleet.in_service() == ALL


def _turned(fleet: Fleet, rollout: str) -> bool:
    told = fleet.told("web-1")
    return told.going_back or fleet.rollout(rollout).end is not None
