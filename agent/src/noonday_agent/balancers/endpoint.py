"""A health check that the agent itself answers, for any balancer that polls HTTP."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from noonday_agent.balancers.marker import Marker, Way
from noonday_agent.config import EndpointBalancer as EndpointSettings
from noonday_shared.errors import NoondayError, Permanent, Temporary

log = logging.getLogger(__name__)

_PROBE = 1.0
_SIGNED = "X-Noonday"


class EndpointBalancer:
    """Answers 200 while in and 503 while out, to GET, HEAD and OPTIONS on any path, from `start` to `close`.

    The verbs turn a marker file, which outlives the agent; without one the server is in, as a balancer's own servers
    are until somebody takes them out. While the agent restarts nothing answers: the balancer's failed checks must
    reach over that second. Several processes may use the verbs; one of them listens.
    """

    def __init__(self, settings: EndpointSettings, marker: Marker, name: str) -> None:
        self.settings = settings
        self.marker = marker
        self.name = name
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen, in a thread. A repeat does nothing. Raises as a verb does when the address can't be had."""
        if self._server is None:
            self._server = self._listen()
            threading.Thread(target=self._server.serve_forever, name=self.name, daemon=True).start()

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def in_service(self) -> bool:
        return self._way() is Way.IN and not self._settling(Way.IN) and self._status() == http.HTTPStatus.OK

    def take_out(self) -> None:
        self.marker.turn(Way.OUT)

    def is_out(self) -> bool:
        return self._way() is Way.OUT

    def idle(self) -> bool:
        return self.marker.settled(Way.OUT, self.settings.settle)

    def put_back(self) -> None:
        self.marker.turn(Way.IN)

    def state(self) -> str:
        way = self._way()
        return f"{way.upper()}, settling" if self._settling(way) else way.upper()

    def check(self) -> None:
        """While nothing answers there, see that the address can be had; else that the one who answers is an agent."""
        self._way()
        try:
            self._status()
        except Temporary:
            if self._server is not None:
                raise
            self._listen().server_close()

    def _way(self) -> Way:
        return self.marker.way() or Way.IN

    def _settling(self, way: Way) -> bool:
        return self.marker.way() is way and not self.marker.settled(way, self.settings.settle)

    def _listen(self) -> _Server:
        host, port = self._address()
        try:
            return _Server(host, port, self.marker)
        except (OSError, OverflowError) as error:
            raise self._not_ours(getattr(error, "strerror", None) or str(error)) from error

    def _status(self) -> int:
        """What a balancer that polls gets now."""
        host, port = self._address()
        target = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
        link = http.client.HTTPConnection(target, port, timeout=_PROBE)
        try:
            link.request("GET", "/")
            answer = link.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Temporary(
                f"{self.name}: nothing answers a balancer's checks at {self.settings.listen}: {error}.",
                rule="balancer-unreachable",
                next_action="check that the agent's service runs",
            ) from error
        finally:
            link.close()
        if answer.getheader(_SIGNED) is None:
            raise self._not_ours("another program answers there")
        return answer.status

    def _address(self) -> tuple[str, int]:
        host, _, port = self.settings.listen.rpartition(":")
        return host.strip("[]"), int(port)

    def _not_ours(self, reason: str) -> NoondayError:
        return Permanent(
            f"{self.name}: {self.settings.listen} can't be listened on: {reason}.",
            rule="balancer-address",
            next_action="see what listens there ('ss -ltnp'), or give this balancer an address of its own",
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Balancers poll from several processes at once.
    request_queue_size = 64

    def __init__(self, host: str, port: int, marker: Marker) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.marker = marker
        super().__init__((host, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("a check from %s broke off", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "noonday-agent"
    sys_version = ""
    # Seconds for a silent connection, so that none holds a thread for ever.
    timeout = 5

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    # HAProxy's `option httpchk` asks with this unless told otherwise.
    do_OPTIONS = do_GET  # noqa: N815 - named by the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        log.debug("check: " + format, *args)

    def _answer(self, *, body: bool) -> None:
        way = self._way()
        text = f"{way}\n".encode()
        self.send_response(http.HTTPStatus.OK if way is Way.IN else http.HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header(_SIGNED, "1")
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if body:
            self.wfile.write(text)

    def _way(self) -> Way:
        try:
            return self.server.marker.way() or Way.IN
        except Temporary as error:
            # Whether it may serve is unknown; a server too few is better than one that is being restarted.
            log.warning("%s", error)
            return Way.OUT
