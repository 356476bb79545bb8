"""A real HAProxy in front of small backends, and clients that keep their connections."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.parts.haproxy import HaproxyProcess
from noonday_agent.balancers.haproxy import HaproxyBalancer
from noonday_agent.config import HaproxyBalancer as HaproxySettings
from support.eventually import eventually
from support.need import need
from support.ports import free_port
from support.web_backend import WebBackend

_DEFAULTS = """
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout check 5s
  option httpchk GET /health
  default-server inter 50ms rise 2
"""


class HaproxyWorld:
    """Two checked servers `web/web-1` and `web/web-2`, one that nothing checks, two with cookies; three sockets."""

    def __init__(self, folder: Path, *, fall: int = 2) -> None:
        need("haproxy", "haproxy")
        self.folder = folder
        self.backends = [WebBackend("web-1"), WebBackend("web-2")]
        self.port, self.sticky_port, self.tcp_port = free_port(), free_port(), free_port()
        self.haproxy = HaproxyProcess(folder, self._config(fall))

    def start(self) -> None:
        for backend in self.backends:
            backend.start()
        self.haproxy.start()
        eventually(self._all_checked, what="HAProxy's first checks")

    def stop(self) -> None:
        self.haproxy.stop()
        for backend in self.backends:
            backend.stop()

    def balancer(
        self, server: str = "web-1", *, backend: str = "web", address: str = "", timeout: float = 5.0
    ) -> HaproxyBalancer:
        settings = HaproxySettings(
            kind="haproxy",
            address=address or str(self.haproxy.admin_socket),
            backend=backend,
            server=server,
            timeout=timeout,
        )
        return HaproxyBalancer(settings, f"haproxy {backend}/{server}")

    def order(self, line: str) -> None:
        answer = self.haproxy.ask(line).strip()
        assert not answer, answer

    @contextmanager
    def slow_request_to(self, backend: WebBackend) -> Iterator[None]:
        """A request that is under way there until the block ends, and then succeeds."""
        statuses: list[int] = []
        backend.release.clear()
        client = threading.Thread(target=lambda: statuses.append(fetch(self.port, "/slow")[0]), daemon=True)
        client.start()
        try:
            backend.wait_for_a_slow_one()
            yield
        finally:
            backend.release.set()
            client.join(10)
        assert statuses == [200]

    def _all_checked(self) -> bool:
        """Before the first check a server is only presumed to be up: 'UP 1/2'."""
        lines = [line.split(",") for line in self.haproxy.ask("show stat -1 4 -1").splitlines() if "," in line]
        return all(line[17] in ("UP", "no check") for line in lines[1:])

    def _config(self, fall: int) -> str:
        one, two = self.backends
        return f"""
global
  stats socket {self.folder}/operator.sock mode 600 level operator
  stats socket ipv4@127.0.0.1:{self.tcp_port} level admin
{_DEFAULTS}  default-server fall {fall}

frontend web
  bind 127.0.0.1:{self.port}
  default_backend web
frontend sticky
  bind 127.0.0.1:{self.sticky_port}
  default_backend sticky
backend web
  balance roundrobin
  server web-1 {one.address} check
  server web-2 {two.address} check
backend unchecked
  server web-1 {one.address}
backend sticky
  cookie NOON insert
  server web-1 {one.address} check cookie one
  server web-2 {two.address} check cookie two
"""


def fetch(port: int, path: str = "/", cookie: str = "") -> tuple[int, str, str]:
    """Status, body and cookie of one request on a connection of its own."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        link.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = link.getresponse()
        return answer.status, answer.read().decode(), (answer.getheader("Set-Cookie") or "").split(";")[0]
    finally:
        link.close()


class KeepAliveLoad:
    """A few clients that ask again and again, each on its one connection, and count what fails."""

    def __init__(self, port: int, clients: int = 4, path: str = "/") -> None:
        self._port = port
        self._path = path
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]
        self._lock = threading.Lock()
        self.good = 0
        self.failures: list[str] = []

    def __enter__(self) -> KeepAliveLoad:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(35)

    def after(self, more: int) -> None:
        """Block until `more` further requests were answered well."""
        goal = self.good + more
        eventually(lambda: self.failures or self.good >= goal, what=f"{goal} requests answered")

    def _ask(self) -> None:
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stop.wait(0.005):
            try:
                link.request("GET", self._path)
                answer = link.getresponse()
                answer.read()
                self._count("" if answer.status == http.HTTPStatus.OK else f"status {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self._count(repr(error))
                link.close()
        link.close()

    def _count(self, failure: str) -> None:
        with self._lock:
            if failure:
                self.failures.append(failure)
            else:
                self.good += 1
