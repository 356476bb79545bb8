from __future__ import annotations

from random import Random

from noonday_shared import topology
from noonday_shared.bus.memory import Faults, MemoryBroker, MemoryBus
from support.fake_clock import FakeClock

QUEUE = topology.agent_queue("web-1")


class Line:
    """A sender and a receiver of the host web-1, over a broker with faults."""

    def __init__(self, faults: Faults | None = None, seed: int = 7) -> None:
        self.clock = FakeClock()
        self.broker = MemoryBroker(clock=self.clock, random=Random(seed), faults=faults)
        self.got: list[int] = []
        self.sender = MemoryBus(self.broker)
        self.sender.declare_host("web-1")
        self.sender.start()
        self.receiver = MemoryBus(self.broker)
        self.receiver.consume(QUEUE, lambda body: self.got.append(int(body)))
        self.receiver.start()

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.sender.publish("", QUEUE, str(number).encode(), slot=str(number))

    def history(self, count: int) -> list[int]:
        """What arrives of `count` messages, one a second, and in the minute after the last."""
        for number in range(count):
            self.send(number)
            self.broker.deliver()
            self.clock.sleep(1)
        self.clock.sleep(60)
        self.broker.deliver()
        return self.got


def test_an_honest_broker_delivers_everything_once_and_in_order() -> None:
    assert Line().history(10) == list(range(10))


def test_nothing_moves_before_it_is_told_to() -> None:
    line = Line()
    line.send(1, 2)
    assert line.got == []
    assert line.broker.waiting(QUEUE) == 2

    assert line.broker.deliver() == 2
    assert line.got == [1, 2]


def test_the_same_seed_makes_the_same_history() -> None:
    faults = Faults(lose=0.2, repeat=0.2, delay=0.3, reorder=0.3)

    first, again = Line(faults, seed=3).history(100), Line(faults, seed=3).history(100)

    assert first == again
    assert first != Line(faults, seed=4).history(100)


def test_a_losing_broker_loses_some() -> None:
    got = Line(Faults(lose=0.5)).history(200)

    assert 50 < len(got) < 150
    assert got == sorted(set(got))


def test_a_repeating_broker_delivers_some_twice() -> None:
    got = Line(Faults(repeat=0.5)).history(200)

    assert set(got) == set(range(200))
    assert 250 < len(got) < 350
    assert all(got.count(number) <= 2 for number in got)


def test_a_delaying_broker_delivers_all_by_the_longest_delay_and_some_late() -> None:
    line = Line(Faults(delay=0.5, longest_delay=20.0))

    got = line.history(200)

    assert sorted(got) == list(range(200))
    assert got != sorted(got)


def test_a_delayed_message_is_not_delivered_before_it_is_due() -> None:
    line = Line(Faults(delay=1.0, longest_delay=20.0))
    line.send(1)
    due = line.broker.next_due()
    assert due is not None
    assert due > line.clock.now()

    assert line.broker.deliver(due - 0.001) == 0
    assert line.broker.deliver(due) == 1
    assert line.broker.next_due() is None


def test_a_reordering_broker_lets_later_messages_cut_in() -> None:
    line = Line(Faults(reorder=0.5))
    line.send(*range(10))
    line.broker.deliver()

    assert sorted(line.got) == list(range(10))
    assert line.got != list(range(10))


def test_what_a_handler_publishes_waits_for_the_next_delivery() -> None:
    broker = MemoryBroker(clock=FakeClock())
    echo = MemoryBus(broker)
    echo.declare_host("web-2")
    echo.consume(
        topology.agent_queue("web-2"), lambda body: echo.publish("", topology.agent_queue("web-2"), body, slot="")
    )
    echo.start()
    echo.publish("", topology.agent_queue("web-2"), b"again", slot="")

    assert broker.deliver() == 1
    assert broker.deliver() == 1


def test_a_full_host_queue_drops_its_oldest() -> None:
    line = Line()
    line.receiver.disconnect()
    line.send(*range(topology.AGENT_QUEUE_LENGTH + 3))

    line.receiver.reconnect()
    line.broker.deliver()

    assert line.got == list(range(3, topology.AGENT_QUEUE_LENGTH + 3))


def test_a_full_evidence_queue_drops_by_bytes() -> None:
    broker = MemoryBroker(clock=FakeClock())
    bus = MemoryBus(broker)
    bus.declare_reports()
    bus.start()
    quarter = bytes(topology.EVIDENCE_QUEUE_BYTES // 4)

    for number in range(6):
        bus.publish(topology.REPORTS, topology.evidence_key("web-1"), quarter, slot=str(number))

    assert broker.waiting(topology.EVIDENCE_QUEUE) == 4
    assert broker.waiting(topology.STATE_QUEUE) == 0


def test_a_bus_that_is_cut_off_gets_nothing_and_sends_the_newest_afterwards() -> None:
    line = Line()
    line.sender.disconnect()
    line.sender.publish("", QUEUE, b"1", slot="same")
    line.sender.publish("", QUEUE, b"2", slot="same")
    line.broker.deliver()
    assert line.got == []
    assert not line.sender.connected

    line.sender.reconnect()
    line.broker.deliver()

    assert line.got == [2]
    assert line.sender.connected


def test_a_wiped_broker_is_declared_anew_but_not_by_a_bus_that_is_cut_off() -> None:
    line = Line()
    line.send(1)
    line.sender.disconnect()

    line.broker.wipe()
    assert "noonday enroll web-1" in line.receiver.trouble

    line.sender.reconnect()
    assert line.receiver.connected
    line.send(2)
    line.broker.deliver()
    assert line.got == [2]
