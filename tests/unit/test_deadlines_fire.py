"""Waits that no other test lets run out: each ends when its time is over, and says what it waited for and how long."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from noonday_agent.balancers import endpoint
from noonday_agent.balancers.marker import Marker
from noonday_agent.config import EndpointBalancer, SystemdProcess
from noonday_agent.core.after import WAITS, after
from noonday_agent.core.journal import Attempt, Journal, Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.core.result import Again, Result, Unreachable, Wrong
from noonday_agent.processes.systemd import Systemd
from noonday_coordinator.api.models import Health
from noonday_coordinator.cli import client
from noonday_coordinator.cli.client import Client
from noonday_coordinator.core import events as e
from noonday_coordinator.verdict.limits import Case, broken_limits
from noonday_shared.bus import parameters
from noonday_shared.bus.rabbit import RabbitBus
from noonday_shared.clock import SystemClock
from noonday_shared.errors import Temporary, Trouble
from support.eventually import eventually
from support.fake_host import ref
from support.ports import free_port
from support.story import Story, only

LIMITS = Limits(on_busy="give-up")
TROUBLE = Trouble("x", "x", "It is not there yet.")


@pytest.fixture
def mute() -> Iterator[int]:
    """A port at which somebody takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def at(stage: Stage, way: Way = Way.FORWARD) -> Journal:
    attempt = Attempt(way, 1, stage, 0.0, 0.0, target=ref("1.1.0", "b"), previous="1.0.0-aaaaaaaa", switched=True)
    return Journal("web", attempt=attempt)


# A balancer that can't be asked any more after the return is asked for ever: the app is well and belongs in service.
ENDING: list[tuple[Stage, Result]] = [(stage, Again(0.1, TROUBLE)) for stage in WAITS]
ENDING += [(stage, Unreachable(TROUBLE)) for stage in WAITS if stage is not Stage.CONFIRM]


@pytest.mark.parametrize(("stage", "result"), ENDING)
def test_every_stage_that_waits_ends_when_its_time_is_over_and_says_for_what(stage: Stage, result: Result) -> None:
    within = LIMITS.of(stage)
    waits = after(at(stage), result, LIMITS, within - 0.01)
    assert waits.attempt is not None
    assert (waits.attempt.stage, waits.attempt.way) == (stage, Way.FORWARD)
    over = after(at(stage), result, LIMITS, within)
    assert over.attempt is not None
    assert over.attempt.way is Way.BACK
    why = over.attempt.why
    assert why is not None
    assert why.text == f"Waited {within:.0f} s for {WAITS[stage]}, in vain. Last seen: It is not there yet."
    assert why.next_action
    assert over.timings == {stage: within}, "the history tells how long it took"


@pytest.mark.parametrize("stage", [Stage.PROVE, Stage.WARM_UP])
def test_what_speaks_against_the_release_is_believed_once_it_lasts(stage: Stage) -> None:
    for now, way in ((LIMITS.settle_within - 0.01, Way.FORWARD), (LIMITS.settle_within, Way.BACK)):
        attempt = after(at(stage), Wrong(TROUBLE), LIMITS, now).attempt
        assert attempt is not None
        assert attempt.way is way


@pytest.mark.parametrize(("after_seconds", "asked"), [(70.0, False), (91.0, True)])
def test_a_hold_asks_a_person_once_it_has_lasted(after_seconds: float, asked: bool) -> None:
    story = Story(hold_after=30.0)
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.judge("hold", "something is odd")
    assert bool(only(story.passing(after_seconds), e.Asked)) is asked


@pytest.mark.parametrize(("seconds", "blamed"), [(2.5, False), (3.5, True)])
def test_a_host_that_fails_its_health_check_is_held_against_the_release_once_it_lasts(
    seconds: float, blamed: bool
) -> None:
    story = Story()
    story.deploy()
    story.all_take()
    story.takes("web-1")
    story.report("web-1", healthy=False)
    hosts = {name: story.on(name) for name in story.names}
    found = broken_limits(Case(story.rollout, hosts, story.now + seconds))
    assert [one.blames for one in found] == [True] * blamed


def test_a_coordinator_that_takes_the_question_and_says_nothing_is_given_up(
    mute: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "WITHIN", 0.2)
    with closing(Client(f"http://127.0.0.1:{mute}", "token")) as asked, pytest.raises(Temporary) as given_up:
        asked.get("/health", Health)
    assert "did not answer within" in given_up.value.text


def test_a_broker_that_takes_the_connection_and_says_nothing_is_given_up(
    mute: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameters, "HANDSHAKE_TIMEOUT", 0.3)
    with closing(RabbitBus(f"amqp://guest:guest@127.0.0.1:{mute}/")) as bus:
        bus.start()
        eventually(lambda: "does not answer: check address and firewall" in bus.trouble, what="the trouble")


def test_a_systemctl_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\nexec sleep 60\n")
    systemctl.chmod(0o755)
    asked = Systemd(SystemdProcess(kind="systemd", unit="web.service", timeout=0.2), systemctl=str(systemctl))
    with pytest.raises(Temporary, match=r"no answer within 0\.2 s"):
        asked.pid()


def test_a_check_that_says_nothing_holds_no_thread_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint._Handler, "timeout", 0.2)
    settings = EndpointBalancer(kind="endpoint", listen=f"127.0.0.1:{free_port()}", settle=0.1)
    balancer = endpoint.EndpointBalancer(settings, Marker(tmp_path / "marker", SystemClock(), "x"), "x")
    balancer.start()
    try:
        host, _, port = settings.listen.rpartition(":")
        with closing(socket.create_connection((host, int(port)), timeout=30)) as silent:
            assert silent.recv(1) == b""
    finally:
        balancer.close()
