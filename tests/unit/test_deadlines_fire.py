"""Waits that no other test lets run out: each ends when its time is over, and says what it waited for and how long."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from noonday_agent import check
from noonday_agent.balancers import endpoint
from noonday_agent.balancers.marker import Marker
from noonday_agent.config import EndpointBalancer, SystemdProcess
from noonday_agent.core.after import WAITS, after
from noonday_agent.core.journal import Attempt, Journal, Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.core.result import Again, Result, Unreachable, Wrong
from noonday_agent.processes.systemd import Systemd
from noonday_coordinator.api.models import Health
from noonday_coordinator.cli import client, records, replay
from noonday_coordinator.cli.client import Client
from noonday_coordinator.cli.main import main
from noonday_coordinator.core import events as e
from noonday_coordinator.store import log_file
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.verdict.limits import Case, broken_limits
from noonday_shared.bus import parameters
from noonday_shared.bus.rabbit import RabbitBus
from noonday_shared.clock import SystemClock
from noonday_shared.errors import BadInput, Temporary, Trouble
from noonday_shared.keys import SigningKey
from support.archives import Shelf
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


def test_a_coordinator_that_takes_the_question_and_says_nothing_is_given_up(mute: int) -> None:
    with closing(Client(f"http://127.0.0.1:{mute}", "token")) as asked, pytest.raises(Temporary) as given_up:
        asked.get("/health", Health, within=0.2)
    assert "did not answer within 0.2 s" in given_up.value.text


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


def test_an_endpoint_that_says_nothing_to_its_own_agent_is_not_waited_for(
    mute: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_PROBE", 0.2)
    settings = EndpointBalancer(kind="endpoint", listen=f"127.0.0.1:{mute}", settle=0.1)
    balancer = endpoint.EndpointBalancer(settings, Marker(tmp_path / "marker", SystemClock(), "x"), "x")
    with pytest.raises(Temporary, match=r"nothing answers a balancer's checks at .*: timed out") as given_up:
        balancer.in_service()
    assert given_up.value.next_action


def test_a_journalctl_that_hangs_fails_the_check_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journalctl = tmp_path / "journalctl"
    journalctl.write_text("#!/bin/sh\nexec sleep 60\n")
    journalctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(check, "JOURNAL_WITHIN", 0.2)
    with pytest.raises(BadInput, match=r"journalctl did not answer within 0\.2 s") as given_up:
        check._journal("web.service")
    assert given_up.value.next_action


@pytest.mark.parametrize(
    ("module", "within", "command"),
    [(client, "UPLOAD_WITHIN", "push"), (records, "_AUDIT_WITHIN", "audit"), (replay, "WITHIN", "replay")],
)
def test_a_command_whose_answer_takes_its_time_is_given_up(
    module: ModuleType, within: str, command: str, mute: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = Shelf(tmp_path, SigningKey.new()).build("1.0.0")
    words = {"push": ["release", "push", str(built.archive)], "audit": ["audit"], "replay": ["replay", "r1"]}
    monkeypatch.setattr(module, within, 0.3)
    where = {"NOONDAY_TOKEN": "a-token", "NOONDAY_URL": f"http://127.0.0.1:{mute}"}
    came = CliRunner().invoke(main, words[command], env=where)
    assert came.exit_code == 1, came.output
    assert "did not answer within 0.3 s" in came.output
    assert "Next: " in came.output


def test_a_database_that_another_program_has_locked_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "BUSY", 0.2)
    path = tmp_path / "events.sqlite"
    with closing(EventLog.open(path)) as log, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Temporary, match="locked") as given_up:
            log.append([e.CoordinatorStarted(1)], at=1.0, by="coordinator")
        assert given_up.value.next_action
        other.execute("ROLLBACK")
        assert log.append([e.CoordinatorStarted(1)], at=1.0, by="coordinator")
