"""A file whose presence a balancer polls through the web server."""

from __future__ import annotations

import os
from dataclasses import dataclass

from noonday_agent.balancers.marker import Marker, Way, disk_trouble
from noonday_agent.config import FileBalancer as FileSettings
from noonday_shared.errors import Permanent
from noonday_shared.files import write_whole


@dataclass(frozen=True, slots=True)
class FileBalancer:
    """`marker` remembers when the file was changed by us, for an absent file has no time of its own.

    A change by another hand is seen at once; its settle time is counted from our next `take_out` or `put_back`.
    """

    settings: FileSettings
    marker: Marker
    name: str

    def in_service(self) -> bool:
        return not self._settling(Way.IN) and self._way() is Way.IN

    def take_out(self) -> None:
        self._turn(Way.OUT)

    def is_out(self) -> bool:
        return self.marker.way() is Way.OUT and self._way() is Way.OUT

    def idle(self) -> bool:
        return self._way() is Way.OUT and self.marker.settled(Way.OUT, self.settings.settle)

    def put_back(self) -> None:
        self._turn(Way.IN)

    def state(self) -> str:
        way = self._way()
        return f"{way.upper()}, settling" if self._settling(way) else way.upper()

    def check(self) -> None:
        path = self.settings.path
        if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
            raise Permanent(
                f"{self.name}: the agent can't make or remove {path}.",
                rule="balancer-file",
                next_action=f"make {path.parent} a folder that the agent's user may write to, and {path} no folder",
            )
        self.marker.way()

    def _settling(self, way: Way) -> bool:
        return self.marker.way() is way and not self.marker.settled(way, self.settings.settle)

    def _way(self) -> Way:
        path = self.settings.path
        try:
            present = path.stat() is not None
        except FileNotFoundError:
            present = False
        except OSError as error:
            raise disk_trouble(self.name, path, error) from error
        return Way(self.settings.present) if present else _other(Way(self.settings.present))

    def _turn(self, way: Way) -> None:
        if self._way() is not way:
            # A crash between these three leaves no instant rather than an old one: the repeat then counts from now.
            self.marker.forget()
            self._change(present=way == self.settings.present)
        self.marker.turn(way)

    def _change(self, *, present: bool) -> None:
        path = self.settings.path
        try:
            if present:
                write_whole(path, "noonday\n")
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise disk_trouble(self.name, path, error) from error


def _other(way: Way) -> Way:
    return Way.OUT if way is Way.IN else Way.IN
