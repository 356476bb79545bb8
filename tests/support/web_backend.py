"""A small web server in a thread: with a health that can be turned, slow requests that end when told, and a restart."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.ports import free_port


class WebBackend:
    """`/health` answers 200 or 503, `/slow` waits for `release`, `/status/404` answers 404, `/break` with nothing;
    everything else answers the backend's name at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.healthy = True
        self.release = threading.Event()
        self.slow_ones = threading.Semaphore(0)
        self.served = 0
        self._server: _Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """As a process that ends: open connections break, also those that are kept alive."""
        server, self._server = self._server, None
        if server is not None:
            self.release.set()
            server.shutdown()
            server.server_close()
            server.break_connections()

    def wait_for_a_slow_one(self, within: float = 10.0) -> None:
        assert self.slow_ones.acquire(timeout=within), f"no slow request reached {self.name} within {within:g} s"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, backend: WebBackend) -> None:
        self.backend = backend
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", backend.port), _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: object) -> None:
        assert isinstance(request, socket.socket)
        self.open.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        for link in list(self.open):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break off are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        backend = self.server.backend
        if self.path == "/health":
            self._answer(200 if backend.healthy else 503)
            return
        if self.path == "/slow":
            backend.slow_ones.release()
            backend.release.wait(30)
        if self.path == "/break":
            self.close_connection = True
            return
        backend.served += 1
        self._answer(int(self.path.removeprefix("/status/")) if self.path.startswith("/status/") else 200)

    # HAProxy's checks ask with this.
    do_OPTIONS = do_GET  # noqa: N815 - named by the base class

    def log_message(self, *args: object) -> None:
        """Quiet: the tests count instead."""

    def _answer(self, status: int) -> None:
        body = self.server.backend.name.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
