"""An app and its two threads on a host: how often it is looked at, and what the stop waits for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from noonday_agent import app as module
from noonday_agent.app import HostedApp
from noonday_agent.config import AgentConfig, Broker, Trust
from noonday_agent.monitor import Seen
from noonday_coordinator.api.routes_apps import _WATCH
from noonday_shared.clock import Clock, SystemClock
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Goal
from support.eventually import eventually
from support.fake_clock import FakeClock
from support.fake_host import SETTINGS, assignment, ref


def hosted(folder: Path, clock: Clock, every: float = 60.0) -> HostedApp:
    health = SETTINGS.health.model_copy(update={"every": every})
    public = str(SigningKey.new().public)
    config = AgentConfig(
        host="web-1",
        state_dir=folder / "state",
        broker=Broker(url="amqp://guest:guest@127.0.0.1/"),
        trust=Trust(coordinator=public, releases=(public,), host_key_file=folder / "host.key"),
        apps={"web": SETTINGS.model_copy(update={"root": folder / "web", "health": health})},
    )
    return HostedApp("web", config, boot=1, clock=clock, changed=lambda: None)


def test_a_quiet_app_is_looked_at_again_after_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OBSERVED_LOOK", 60.0)
    looks: list[Seen] = []
    clock = SystemClock()
    app = hosted(tmp_path, clock, every=0.2)

    def look() -> Seen:
        looks.append(app._monitor.seen)
        return looks[-1]

    monkeypatch.setattr(app._monitor, "look", look)
    began = clock.monotonic()
    app.start()
    try:
        eventually(lambda: len(looks) >= 3, what="three looks", within=30)
        assert clock.monotonic() - began >= 2 * 0.2
    finally:
        app.close(5)


def test_a_step_that_does_not_end_is_left_at_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    over, turning = threading.Event(), threading.Event()
    app = hosted(tmp_path, SystemClock())

    def turn() -> float:
        turning.set()
        over.wait(30)
        return 0.0

    monkeypatch.setattr(app.runner, "turn", turn)
    app.start()
    try:
        assert turning.wait(10)
        app.close(0.2)
        assert "The thread runner-web did not end within 0.2 s" in caplog.text
    finally:
        over.set()


def test_who_follows_logs_no_longer_is_sent_none(tmp_path: Path) -> None:
    clock = FakeClock()
    app = hosted(tmp_path, clock)
    told = assignment(clock, Goal.PREPARED, ref("1.0.0"), generation=1)
    app.runner.offer(told.model_copy(update={"watch_until": clock.now() + _WATCH}))
    clock.move(_WATCH - 0.1)
    assert app.watched
    clock.move(0.1)
    assert not app.watched
