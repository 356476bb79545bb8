"""What goes wrong while a rollout is under way, on real processes: each is over within seconds."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from support.fleet import Fleet
from support.fleet_host import FleetHost


@dataclass(frozen=True, slots=True)
class Mishap:
    """`happen` may block for some seconds. `mode` of the release it happens to; `costs`: requests may fail for it."""

    name: str
    happen: Callable[[Fleet, random.Random], None] = lambda fleet, chance: None
    mode: str = "healthy"
    costs: bool = False
    only_early: bool = False
    """Only in the first quarter: what measures a process over the whole run needs one that lives so long."""


def _host(fleet: Fleet, chance: random.Random) -> FleetHost:
    """Any but the last, whose agent lives through the whole run and is measured."""
    return chance.choice(fleet.hosts[:-1])


def _kill_agent(fleet: Fleet, chance: random.Random) -> None:
    host = _host(fleet, chance)
    host.kill_agent()
    time.sleep(chance.uniform(0, 2))
    host.start_agent()


def _stop_agent(fleet: Fleet, chance: random.Random) -> None:
    host = _host(fleet, chance)
    host.stop_agent()
    host.start_agent()


def _hang_agent(fleet: Fleet, chance: random.Random) -> None:
    pid = _host(fleet, chance).agent_pid
    if pid:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(chance.uniform(1, 5))
        os.kill(pid, signal.SIGCONT)


def _kill_coordinator(fleet: Fleet, chance: random.Random) -> None:
    fleet.coordinator.kill()
    time.sleep(chance.uniform(0, 2))
    fleet.coordinator.start()


def _stop_coordinator(fleet: Fleet, _: random.Random) -> None:
    fleet.coordinator.stop()
    fleet.coordinator.start()


def _restart_broker(fleet: Fleet, _: random.Random) -> None:
    fleet.rabbitmq.stop()
    fleet.rabbitmq.start()


def _kill_broker(fleet: Fleet, _: random.Random) -> None:
    fleet.rabbitmq.kill()
    fleet.rabbitmq.start()


def _cut_all(fleet: Fleet, _: random.Random) -> None:
    fleet.rabbitmq.ctl("close_all_connections", "--vhost", fleet.vhost, "soak")


def _kill_app(fleet: Fleet, chance: random.Random) -> None:
    _host(fleet, chance).supervisord.ctl("signal", "KILL", "web")


def _pause(fleet: Fleet, _: random.Random) -> None:
    if fleet.cli("pause", "web").exit == 0:
        time.sleep(1.0)
        fleet.cli("resume", "web")


def _abort(fleet: Fleet, _: random.Random) -> None:
    fleet.cli("abort", "web", "--why", "soak")


NONE = Mishap("none")
ALL = (
    Mishap("agent killed", _kill_agent),
    Mishap("agent stopped", _stop_agent),
    Mishap("agent hangs", _hang_agent),
    Mishap("coordinator killed", _kill_coordinator, only_early=True),
    Mishap("coordinator stopped", _stop_coordinator, only_early=True),
    Mishap("broker restarted", _restart_broker),
    Mishap("broker killed", _kill_broker),
    Mishap("connections cut", _cut_all),
    Mishap("app killed", _kill_app, costs=True),
    Mishap("paused", _pause),
    Mishap("aborted", _abort),
    Mishap("release never well", mode="sick"),
    Mishap("release starts old code", mode="old-code"),
)


def mishap(chance: random.Random, *, early: bool) -> Mishap:
    """One for about half of the rollouts."""
    if chance.random() < 0.45:
        return NONE
    return chance.choice([one for one in ALL if early or not one.only_early])
