"""The API on a fake engine, and three stages of a fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from noonday_coordinator.api.app import make_app
from support.api_rig import HOSTS, KEY, OLD, Api
from support.archives import Shelf
from support.fake_clock import FakeClock
from support.fake_engine import close_context, make_context


@pytest.fixture(scope="session")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One app for all tests: only the context behind it changes."""
    context = make_context(tmp_path_factory.mktemp("first"), FakeClock(), KEY)
    close_context(context)
    with TestClient(make_app(context), raise_server_exceptions=False) as http:
        yield http


@pytest.fixture
def api(http: TestClient, tmp_path: Path) -> Iterator[Api]:
    clock = FakeClock()
    context = make_context(tmp_path, clock, KEY)
    assert isinstance(http.app, FastAPI)
    http.app.state.context = context
    yield Api(http, context, clock)
    close_context(context)


@pytest.fixture
def fleet(api: Api) -> Api:
    """Three hosts serve 1.0.0, and 1.1.0 is pushed."""
    for host in HOSTS:
        api.engine.serve(host, "web", OLD)
    api.engine.push("1.1.0")
    return api


@pytest.fixture
def rolling(fleet: Api) -> Api:
    """r1 is under way: 1.1.0 is on its way to the canary."""
    assert fleet.post("/apps/web/rollouts", {"version": "1.1.0"})["rollout"] == "r1"
    return fleet


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf", KEY)
