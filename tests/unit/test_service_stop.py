"""The stop of an agent with several apps: all at the same time, and the host is heard and answers meanwhile."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from noonday_agent import service as module
from noonday_agent.app import HostedApp
from noonday_agent.service import Service

HOOK = 1.5


@dataclass
class Stop:
    """What was seen, in seconds of a clock that is never set. Threads of apps are let go at its end."""

    over: threading.Event = field(default_factory=threading.Event)
    closed: dict[str, float] = field(default_factory=dict)
    heard: list[float] = field(default_factory=list)

    def app(self, name: str, step: float, *, hook: bool = False) -> HostedApp:
        """One whose runner ends `step` seconds after it was told to."""
        app = HostedApp.__new__(HostedApp)
        told = threading.Event()
        app.name, app._leaving, app._until = name, threading.Event(), None
        app.runner = SimpleNamespace(leave=lambda hook_within: told.set(), in_hook=hook)  # type: ignore[assignment]
        app._threads = [
            threading.Thread(target=lambda: told.wait() and self.over.wait(step), daemon=True),
            threading.Thread(target=app._leaving.wait, daemon=True),
        ]
        for thread in app._threads:
            thread.start()
        pool = SimpleNamespace(close=lambda: self.closed.setdefault(name, time.monotonic()))
        app.parts = SimpleNamespace(pool=pool)  # type: ignore[assignment]
        app.collector = SimpleNamespace(close=lambda: None)  # type: ignore[assignment]
        app.snapshot = lambda: None  # type: ignore[method-assign, assignment, return-value]
        return app

    def service(self, *apps: HostedApp) -> Service:
        service: Any = Service.__new__(Service)
        service._leaving, service._changed = threading.Event(), threading.Event()
        service._wake = SimpleNamespace(wake=lambda: None)
        service._bus, service._only = SimpleNamespace(close=lambda: None), SimpleNamespace(release=lambda: None)
        service._notices = SimpleNamespace(words=())
        service._reporter = SimpleNamespace(send=lambda *_: self.heard.append(time.monotonic()))
        service._apps = {app.name: app for app in apps}
        return service  # type: ignore[no-any-return]


def test_while_a_hook_has_its_time_the_host_is_heard_and_other_apps_answer_their_balancers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)
    stop = Stop()
    service = stop.service(stop.app("idle", 0.0), stop.app("busy", HOOK, hook=True))
    threading.Thread(target=service._report, daemon=True).start()
    begun = time.monotonic()
    service.close()
    assert stop.closed["idle"] - begun >= HOOK
    assert [at for at in stop.heard if at > begun + HOOK / 2]


def test_steps_that_do_not_end_are_waited_for_once_and_not_app_by_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_WITHIN", 0.3)
    stop = Stop()
    apps = [stop.app(f"app-{number}", 60.0) for number in range(10)]
    begun = time.monotonic()
    stop.service(*apps).close()
    stop.over.set()
    assert time.monotonic() - begun < 10 * 0.3 / 2
    assert len(stop.closed) == 10
