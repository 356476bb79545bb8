"""Connections that are shut down under whoever waits for them.

A socket's own timeout starts again with every byte, so a peer that trickles would hold a thread for ever.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

C = TypeVar("C", bound=http.client.HTTPConnection)

_LOOK = 0.1


class Cutoff:
    """Cuts the newest connection of those `under` it as soon as `rest()` is not above zero, while the `with` lasts.

    `rest`: seconds that are left. It is asked several times a second from a thread of its own, as they may become less.
    """

    def __init__(self, rest: Callable[[], float]) -> None:
        self.made = False
        """Whether something was cut, or would have been."""
        self.connected = False
        """Whether a peer took a connection."""
        self._rest = rest
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._held: socket.socket | None = None

    def __enter__(self) -> Cutoff:
        threading.Thread(target=self._watch, name="cutoff", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._hold(None)

    def under(self, connection: C) -> C:
        """The same one, not connected yet: it is held from its first packet on, through a proxy's answer and TLS."""
        connection._create_connection = self._connect  # type: ignore[attr-defined]  # http.client has no public way
        return connection

    def _connect(
        self, address: tuple[str, int], timeout: float, source_address: tuple[str, int] | None = None
    ) -> socket.socket:
        """As `socket.create_connection`, which tries each address for `timeout` and can't be cut meanwhile."""
        trouble = OSError(f"{address[0]} has no address")
        for family, kind, protocol, _, where in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
            if self.made:
                break
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(timeout)
                self._hold(sock)
                if source_address:
                    sock.bind(source_address)
                sock.connect(where)
            except OSError as error:
                trouble = error
                sock.close()
            else:
                self.connected = True
                return sock
        raise trouble

    def _hold(self, sock: socket.socket | None) -> None:
        # A descriptor of its own: TLS takes the socket's away, and a closed one's number may be another's by now.
        with self._lock:
            if self._held is not None:
                self._held.close()
            self._held = sock and sock.dup()

    def _watch(self) -> None:
        while (rest := self._rest()) > 0:
            if self._over.wait(min(rest, _LOOK)):
                return
        self.made = True
        # More than once: a connection may be made in this moment, or by a redirect after it.
        while not self._over.wait(_LOOK):
            self._cut()

    def _cut(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._held is not None:
                self._held.shutdown(socket.SHUT_RDWR)
