"""A real HTTP server for releases, that stalls, breaks off, ignores Range or lies when a test asks for it."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Manners:
    """How the server treats archives (`.tar.gz`); manifests are always served well."""

    ignore_range: bool = False
    break_after: int = 0
    """Bytes of each answer after which the connection is cut; 0: never."""
    breaks: int = 0
    """How many answers are cut."""
    stalls: int = 0
    """How many answers go silent after the headers."""
    trickle: bytes = b""
    """Sent after the status of each answer, its last byte again and again: a header or a line that never ends."""
    trickles: int = 0
    """How many answers do that."""
    statuses: list[int] = field(default_factory=list)
    """Answered first, one a request."""
    extra: bytes = b""
    """Sent after the file."""
    claim: int = 0
    """Added to the Content-Length."""
    redirect_to: str = ""
    piece: bool = False
    """Answers with the end of the file, whatever was asked for."""


@dataclass
class ReleaseServer:
    folder: Path
    port: int = 0
    scheme: str = "http"
    manners: Manners = field(default_factory=Manners)
    ranges: list[str | None] = field(default_factory=list)
    """The Range header of each request for an archive."""
    closing: threading.Event = field(default_factory=threading.Event)

    def url(self, archive: Path) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{archive.name}"


@contextmanager
def serve_releases(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[ReleaseServer]:
    server = ReleaseServer(folder)

    class Handler(_Handler):
        site = server

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    httpd.block_on_close = False
    if tls:
        httpd.socket = tls.wrap_socket(httpd.socket, server_side=True)
        server.scheme = "https"
    server.port = httpd.server_port
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    site: ReleaseServer

    def do_GET(self) -> None:
        path = self.site.folder / self.path.rpartition("/")[2]
        if not path.is_file():
            self.send_error(404)
        elif path.suffix == ".manifest":
            self._send(path.read_bytes())
        else:
            self._archive(path.read_bytes())

    def _archive(self, data: bytes) -> None:
        manners = self.site.manners
        self.site.ranges.append(self.headers.get("Range"))
        if manners.redirect_to:
            self.send_response(302)
            self.send_header("Location", manners.redirect_to)
            self.end_headers()
            return
        if manners.statuses:
            self.send_error(manners.statuses.pop(0))
            return
        start = self._start()
        if start >= len(data) > 0 and start:
            self.send_error(416)
            return
        self._send(data[start:] + manners.extra, start, len(data))

    def _start(self) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if self.site.manners.piece:
            return 1000
        return int(match.group(1)) if match and not self.site.manners.ignore_range else 0

    def _send(self, data: bytes, start: int = 0, whole: int = 0) -> None:
        manners = self.site.manners if whole else Manners()
        self.send_response(206 if start else 200)
        if manners.trickles:
            manners.trickles -= 1
            self._trickle(manners.trickle)
            return
        self.send_header("Content-Length", str(len(data) + manners.claim))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.end_headers()
        if manners.stalls:
            manners.stalls -= 1
            self.site.closing.wait(30)
            return
        if manners.breaks:
            manners.breaks -= 1
            data = data[: manners.break_after]
        # A client that refuses what it gets hangs up, and that is no trouble of this server.
        with suppress(ConnectionError):
            self.wfile.write(data)

    def _trickle(self, beginning: bytes) -> None:
        self.close_connection = True
        self.flush_headers()
        with suppress(OSError):
            self.wfile.write(beginning)
            for _ in range(400):
                if self.site.closing.wait(0.05):
                    break
                self.wfile.write(beginning[-1:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        pass
