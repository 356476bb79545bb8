"""The endpoint that the agent serves, polled by a real HAProxy as any balancer would."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.parts.haproxy import HaproxyProcess
from noonday_agent.balancers.build import build_balancers
from noonday_agent.balancers.endpoint import EndpointBalancer
from noonday_agent.balancers.pool import Pool
from noonday_agent.config import EndpointBalancer as EndpointSettings
from noonday_shared.errors import Permanent, Temporary
from support.eventually import eventually
from support.fake_clock import FakeClock
from support.haproxy import fetch
from support.need import need
from support.ports import free_port
from support.web_backend import WebBackend


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def port() -> int:
    return free_port()


def _endpoint(tmp_path: Path, port: int, clock: FakeClock) -> EndpointBalancer:
    settings = EndpointSettings(kind="endpoint", listen=f"127.0.0.1:{port}", settle=10)
    made = build_balancers("web", [settings], tmp_path, clock)[0]
    assert isinstance(made, EndpointBalancer)
    return made


@pytest.fixture
def endpoint(tmp_path: Path, port: int, clock: FakeClock) -> Iterator[EndpointBalancer]:
    made = _endpoint(tmp_path, port, clock)
    made.start()
    yield made
    made.close()


def _status(port: int, method: str) -> tuple[int, bytes]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    link.request(method, "/any/path")
    answer = link.getresponse()
    body = answer.read()
    link.close()
    return answer.status, body


def test_it_answers_200_in_and_503_out_to_every_method_that_balancers_use(
    endpoint: EndpointBalancer, port: int
) -> None:
    asked = ("GET", "HEAD", "OPTIONS")
    assert [_status(port, method) for method in asked] == [(200, b"in\n"), (200, b""), (200, b"in\n")]
    endpoint.take_out()
    assert [_status(port, method) for method in asked] == [(503, b"out\n"), (503, b""), (503, b"out\n")]


def test_a_restart_of_the_agent_keeps_it_out_and_does_not_settle_again(
    tmp_path: Path, endpoint: EndpointBalancer, port: int, clock: FakeClock
) -> None:
    endpoint.take_out()
    clock.move(10)
    endpoint.close()
    again = _endpoint(tmp_path, port, clock)
    again.start()
    try:
        assert again.idle()
        assert _status(port, "GET")[0] == 503
    finally:
        again.close()


def test_it_is_not_in_service_when_nobody_answers_the_balancers_checks(endpoint: EndpointBalancer) -> None:
    assert endpoint.in_service()
    endpoint.close()
    with pytest.raises(Temporary, match="nothing answers a balancer's checks"):
        endpoint.in_service()


def test_starting_and_closing_twice_does_nothing_more(endpoint: EndpointBalancer, port: int) -> None:
    endpoint.start()
    assert _status(port, "GET")[0] == 200
    endpoint.close()
    endpoint.close()


def test_its_check_passes_beside_a_running_agent_and_before_one(
    tmp_path: Path, endpoint: EndpointBalancer, port: int, clock: FakeClock
) -> None:
    _endpoint(tmp_path, port, clock).check()
    endpoint.close()
    endpoint.check()


def test_an_address_that_another_program_has_is_refused_at_start(tmp_path: Path, clock: FakeClock) -> None:
    other = WebBackend("another program")
    other.start()
    try:
        endpoint = _endpoint(tmp_path, other.port, clock)
        with pytest.raises(Permanent, match="another program answers there"):
            endpoint.check()
        with pytest.raises(Permanent, match="can't be listened on: Address already in use"):
            Pool([endpoint]).start()
    finally:
        other.stop()


def test_a_balancer_that_polls_it_takes_the_server_out_and_back(
    tmp_path: Path, endpoint: EndpointBalancer, port: int
) -> None:
    need("haproxy", "haproxy")
    web_1, web_2, front = WebBackend("web-1"), WebBackend("web-2"), free_port()
    haproxy = HaproxyProcess(
        tmp_path / "haproxy",
        f"""
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout check 5s
frontend web
  bind 127.0.0.1:{front}
  default_backend web
backend web
  option httpchk
  default-server inter 50ms rise 1 fall 2
  server web-1 {web_1.address} check port {port}
  server web-2 {web_2.address}
""",
    )
    for part in (web_1, web_2, haproxy):
        part.start()
    try:
        _reaches(front, {"web-1", "web-2"})
        endpoint.take_out()
        _reaches(front, {"web-2"})
        endpoint.put_back()
        _reaches(front, {"web-1", "web-2"})
    finally:
        for part in (haproxy, web_1, web_2):
            part.stop()


def _reaches(front: int, names: set[str]) -> None:
    eventually(lambda: {fetch(front)[1] for _ in range(6)} == names, what=f"requests to {sorted(names)} alone")
