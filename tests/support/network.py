"""Rooms for processes: network namespaces, each with a cable for people and load balancer and one for the broker."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

_WITHIN = 20.0


@dataclass(frozen=True)
class Room:
    """`prefix`: in front of a command line that is to run inside. From outside it is reached at `address`."""

    name: str
    address: str
    control: str
    """This side's end of the cable to the broker, ..."""
    data: str
    """... and of the other one: for people, the load balancer and releases."""

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def cut(self, *, wholly: bool = False) -> None:
        """The broker's packets and those to it vanish without a word, as behind a broken switch; `wholly`: all others
        too. May be repeated."""
        for cable in (self.control, self.data) if wholly else (self.control,):
            _ip("link", "set", cable, "down")

    def join(self) -> None:
        """Both cables are whole again. May be repeated."""
        for cable in (self.control, self.data):
            _ip("link", "set", cable, "up")


class Network:
    """`gateway`: where this side is seen from inside all rooms, on the way to the broker. Not for many threads."""

    def __init__(self) -> None:
        self._name = f"nd{secrets.token_hex(3)}"
        self._net = f"10.{secrets.randbelow(100) + 100}.{secrets.randbelow(250)}"
        self.gateway = f"{self._net}.129"
        self.rooms: list[Room] = []
        self._bridges = {"d": f"{self._net}.1/25", "c": f"{self.gateway}/25"}

    def open(self) -> None:
        for kind, address in self._bridges.items():
            _ip("link", "add", self._name + kind, "type", "bridge")
            _ip("addr", "add", address, "dev", self._name + kind)
            _ip("link", "set", self._name + kind, "up")

    def room(self) -> Room:
        """A new one."""
        number = len(self.rooms) + 2
        control, data = (f"{self._name}{kind}{number}" for kind in "cd")
        made = Room(f"{self._name}-{number}", f"{self._net}.{number}", control, data)
        self.rooms.append(made)
        _ip("netns", "add", made.name)
        _ip("-n", made.name, "link", "set", "lo", "up")
        for kind, last in (("d", number), ("c", 128 + number)):
            outside, inside = f"{self._name}{kind}{number}", f"in{kind}"
            _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", made.name)
            _ip("link", "set", outside, "master", self._name + kind)
            _ip("link", "set", outside, "up")
            _ip("-n", made.name, "addr", "add", f"{self._net}.{last}/25", "dev", inside)
            _ip("-n", made.name, "link", "set", inside, "up")
        return made

    def close(self) -> None:
        """Whatever came of `open` and `room`. A namespace ends with its last process, and its cables with it."""
        for room in self.rooms:
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", room.name)
        for kind in self._bridges:
            with suppress(subprocess.CalledProcessError):
                _ip("link", "del", self._name + kind)


@contextmanager
def network() -> Iterator[Network]:
    """Skips where namespaces can't be made: they need root, and iproute2."""
    made = Network()
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if shutil.which("ip") is None:
        pytest.skip("ip is missing: apt-get install iproute2")
    try:
        try:
            made.open()
            made.room()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces can't be made here: {error.stderr.strip()}")
        yield made
    finally:
        made.close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=_WITHIN)
