"""A TCP line between a client and a server that a test can cut, or make fall silent."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress

from support.ports import free_port


class TcpProxy:
    """Every connection to `port` (a free one unless given) is passed on to `target`, a port on loopback. With `tls` the
    client's side is encrypted."""

    def __init__(
        self, target: int, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.port = port or free_port(host)
        self.silent = False
        """While true all is swallowed, both ways, and connections stay open whatever the other side does."""
        self.accepted = 0
        """Connections that were made to `port`."""
        self._target = target
        self._tls = tls
        self._lock = threading.Lock()
        self._links: list[socket.socket] = []
        self._listener = socket.create_server((host, self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection now; new ones are accepted."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.accepted += 1
                # An own thread, since a client may take its time over the handshake, or never end it.
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        try:
            near = self._tls.wrap_socket(near, server_side=True) if self._tls else near
            far = socket.create_connection(("127.0.0.1", self._target), timeout=5.0)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            self._links += [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.silent:
                    sink.sendall(data)
        if not self.silent:
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
