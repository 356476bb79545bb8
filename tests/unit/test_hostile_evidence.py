"""What a coordinator makes of evidence that is hostile, broken, or of another version: named, and nobody else pays."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from noonday_coordinator.core.commands import Enroll, Remove
from noonday_coordinator.core.events import ReleasePushed
from noonday_coordinator.engine import Engine
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.windows import WindowStore
from noonday_shared import topology
from noonday_shared.bus.memory import MemoryBroker, MemoryBus
from noonday_shared.bus.protocol import Handler
from noonday_shared.envelope import Wire, seal
from noonday_shared.keys import SigningKey
from noonday_shared.messages.evidence import IDENTITY_VERSION
from noonday_shared.names import ReleaseRef
from noonday_shared.release import ReleaseManifest
from support.fake_clock import FakeClock
from support.virtual_clock import VirtualClock


class Raw(Wire):
    """A body that no model has checked."""

    text: str

    def model_dump_json(self, **_: Any) -> str:
        return self.text


class Ear(MemoryBus):
    def __init__(self) -> None:
        super().__init__(MemoryBroker(clock=VirtualClock()))
        self.handlers: dict[str, Handler] = {}

    def consume(
        self, queue: str, handler: Handler, *, exclusive: bool = False, refused: Callable[[], None] | None = None
    ) -> None:
        self.handlers[queue] = handler


class World:
    """An engine that turns when it is told to, two enrolled hosts, and an app of which a release was pushed."""

    def __init__(self, folder: Path, log: EventLog, windows: WindowStore, catalogue: CatalogueStore) -> None:
        self.keys = {name: SigningKey.new() for name in ("web-1", "web-2")}
        self.ear, self.clock, self.windows = Ear(), FakeClock(), windows
        self.engine = Engine(
            log=log, windows=windows, catalogue=catalogue, bus=self.ear, key=SigningKey.new(),
            artifact_url=lambda app, release: "", clock=self.clock, lines=LineBuffer(),
        )  # fmt: skip
        self.engine.begin()
        for name, key in self.keys.items():
            self.engine.ask(Enroll(name, {"role": "web"}, str(key.public)), "alice")
        self.engine.turn()
        ref = ReleaseRef(version="1.0.0", digest="a" * 64)
        manifest = ReleaseManifest(app="web", version="1.0.0")
        self.engine._keep([ReleasePushed("web", ref, 10, manifest)], "alice")

    def tells(self, host: str = "web-1", *, signed_by: str = "", text: str | None = None, **more: Any) -> None:
        now = self.clock.now()
        body = {"host": host, "app": "web", "boot": 1, "epoch": 1, "seq": 1, "since": now, "sent_at": now, **more}
        raw = Raw(text=json.dumps(body) if text is None else text)
        self.ear.handlers[topology.EVIDENCE_QUEUE](seal("evidence", raw, self.keys[signed_by or host]))
        self.engine.turn()

    def notices(self, host: str = "web-1") -> str:
        return " ".join(self.engine.notices.get(host, ()))

    def counted(self) -> dict[str, int]:
        """By host, all requests in windows."""
        self.clock.move(60.0)
        self.engine.turn()
        found: dict[str, int] = {}
        for window in self.windows.between("web", 0.0, self.clock.now()):
            for host, seen in window.hosts.items():
                found[host] = found.get(host, 0) + seen.requests
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with (
        closing(EventLog.open(tmp_path / "events.sqlite")) as log,
        closing(WindowStore.open(tmp_path / "windows.sqlite")) as windows,
        closing(CatalogueStore.open(tmp_path / "catalogue.sqlite")) as catalogue,
    ):
        yield World(tmp_path, log, windows, catalogue)


SPOILT: dict[str, dict[str, Any]] = {
    "no number": {"gauges": {"fds": float("nan")}},
    "infinite": {"counted_for": float("inf")},
    "below zero": {"requests": -1},
    "more than any host counts": {"counts": {"k": [2**63, 1]}},
    "a huge float": {"statuses": {"5xx": 1e308}},
    "a number of 400 digits": {"dropped": 10**400},
    "twenty thousand keys": {"counts": {str(n): [1, 1] for n in range(20_000)}},
    "a key of half a megabyte": {"counts": {"k" * (1 << 19): [1, 1]}},
    "a release of half a megabyte": {"release": "r" * (1 << 19)},
    "other edges": {"latency": [1, 2, 3]},
    "a list for a table": {"counts": [1]},
    "a time before all time": {"sent_at": -1e300},
    "a start in the year 9999999": {"started_at": 1e300},
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_what_is_spoilt_is_refused_named_and_costs_no_other_host(world: World, spoilt: str) -> None:
    world.tells("web-2", requests=7)
    world.tells("web-1", **SPOILT[spoilt])
    assert "what web-1 tells is refused" in world.notices()
    assert len(world.notices()) < 600
    assert world.engine.trouble == ""
    assert world.counted() == {"web-2": 7}


def test_a_host_is_named_until_it_sends_what_is_right(world: World) -> None:
    world.tells(requests=-1)
    assert world.notices()
    world.tells(requests=3)
    assert world.notices() == ""
    assert world.counted() == {"web-1": 3}


def test_the_windows_tell_why_a_host_is_missing(world: World) -> None:
    world.tells("web-2", requests=7)
    world.tells(requests=-1)
    world.counted()
    *_, window = world.windows.between("web", 0.0, world.clock.now())
    assert "web-1" in window.refused["web-1"]


@pytest.mark.parametrize("more", [{}, {"latency": [1, 2, 3], "counts": "of another shape"}])
def test_an_agent_of_another_identity_is_named_whatever_its_message_looks_like(
    world: World, more: dict[str, Any]
) -> None:
    world.tells(identity_version=IDENTITY_VERSION + 1, requests=5, **more)
    assert "not compared until its agent is of the same version" in world.notices()
    assert world.counted() == {}


def test_an_app_that_nobody_pushed_is_named_and_takes_no_room(world: World) -> None:
    world.tells(app="shop", release="1.0.0-aaaaaaaa")
    assert "the app shop, of which no release was ever pushed" in world.notices()
    world.clock.move(60.0)
    world.engine.turn()
    assert world.windows.apps() == []


def test_an_agent_that_waits_for_its_first_release_is_not_named(world: World) -> None:
    world.tells(app="shop", release="")
    assert world.notices() == ""
    world.clock.move(60.0)
    world.engine.turn()
    assert world.windows.apps() == []


def test_nobody_can_shame_another_host(world: World) -> None:
    world.tells("web-1", signed_by="web-2", requests=-1)
    world.tells("web-1", signed_by="web-2", requests=5)
    assert world.notices() == ""
    assert world.counted() == {}


@pytest.mark.parametrize("text", ["", "null", "[" * 500_000, '{"host": "web-1"', '{"host": ["web-1"]}', "\0", "NaN"])
def test_a_body_that_is_no_message_changes_nothing(world: World, text: str) -> None:
    began = time.monotonic()
    world.tells(text=text)
    assert world.engine.trouble == ""
    assert time.monotonic() - began < 5.0
    world.tells(requests=3)
    assert world.counted() == {"web-1": 3}


def test_a_host_that_is_removed_begins_anew_when_it_is_back(world: World) -> None:
    world.tells(boot=4_000_000_000, requests=3)
    world.engine.ask(Remove("web-1"), "alice")
    world.engine.turn()
    world.engine.ask(Enroll("web-1", {"role": "web"}, str(world.keys["web-1"].public)), "alice")
    world.engine.turn()
    world.tells(boot=1, requests=2)
    assert world.notices() == ""
