"""How often evidence goes up, and that what one message tells is not replaced by the next."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from noonday_agent.app import HostedApp
from noonday_agent.config import LogFile
from noonday_agent.evidence.collector import Collector
from noonday_agent.evidence_sender import OBSERVED, SOON, UNOBSERVED, EvidenceSender
from noonday_shared.bus.protocol import Bus
from noonday_shared.envelope import open_sealed
from noonday_shared.keys import SigningKey
from noonday_shared.logs.counter import Process
from noonday_shared.messages import Evidence
from support.fake_clock import FakeClock


class Recorder:
    connected = True

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.slots: list[str] = []

    def publish(self, exchange: str, key: str, body: bytes, *, slot: str) -> None:
        self.bodies.append(body)
        self.slots.append(slot)


class Hosted:
    name = "web"

    def __init__(self, log: Path, clock: FakeClock) -> None:
        self.collector = Collector("web", [LogFile(path=log)], [], log.parent, clock)
        self.observed = self.watched = self.young = False
        self._clock = clock

    def evidence(self, host: str, boot: int, seq: int) -> Evidence:
        process = Process(started_at=7.0, restarts=1, balancer={"requests": 3}, gauges={"fds": 4.0})
        now = self._clock.now()
        return self.collector.evidence(host=host, boot=boot, seq=seq, now=now, watching=self.watched, process=process)

    def last_word(self, host: str, boot: int, seq: int) -> Evidence | None:
        return self.collector.last_word(host=host, boot=boot, seq=seq)


class Rig:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.log = folder / "web.log"
        self.log.touch()
        self.app = Hosted(self.log, self.clock)
        self.bus = Recorder()
        self.key = SigningKey.new()
        self.sender = EvidenceSender(host="web-1", boot=1, key=self.key, bus=cast(Bus, self.bus), clock=self.clock)

    def turn(self) -> None:
        self.sender.send_due(cast(HostedApp, self.app))

    def pause(self) -> float:
        """Seconds between the message that is due now and the next."""
        self.clock.move(100)
        self.turn()
        sent, waited = len(self.bus.bodies), 0.0
        while len(self.bus.bodies) == sent:
            self.clock.move(0.5)
            waited += 0.5
            self.turn()
        return waited

    @property
    def newest(self) -> Evidence:
        return open_sealed(self.bus.bodies[-1], "evidence", Evidence, [self.key.public])


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize(
    ("observed", "young", "watched", "every"),
    [
        (False, False, False, UNOBSERVED),
        (False, True, False, UNOBSERVED),
        (True, False, False, OBSERVED),
        (True, True, False, SOON),
        (False, False, True, SOON),
    ],
)
def test_evidence_goes_up_as_often_as_it_is_worth(
    rig: Rig, observed: bool, young: bool, watched: bool, every: float
) -> None:
    rig.app.observed, rig.app.young, rig.app.watched = observed, young, watched
    assert rig.pause() == every


def test_it_says_what_was_seen_beside_the_logs(rig: Rig) -> None:
    rig.turn()
    sent = rig.newest
    assert (sent.started_at, sent.restarts, sent.balancer, sent.gauges) == (7.0, 1, {"requests": 3}, {"fds": 4.0})


def test_messages_that_wait_do_not_replace_each_other(rig: Rig) -> None:
    rig.app.watched = True
    for _ in range(4):
        rig.turn()
        rig.clock.move(SOON)
    assert len(set(rig.bus.slots)) == 4


def test_nothing_counts_as_told_while_there_is_no_connection(rig: Rig) -> None:
    rig.turn()
    rig.bus.connected = False
    with rig.log.open("a") as log:
        log.write("2026-01-01 12:00:00 ERROR shop: refused\n")
    for _ in range(3):
        rig.clock.move(UNOBSERVED)
        rig.turn()
    assert len(rig.bus.bodies) == 1
    rig.bus.connected = True
    rig.turn()
    assert [one.text for one in rig.newest.templates] == ["refused"]
