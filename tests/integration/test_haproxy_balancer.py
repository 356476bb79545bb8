"""The HAProxy driver against a real HAProxy with real backends and clients that keep their connections."""

from __future__ import annotations

import http.client
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from noonday_agent.balancers.pool import Pool
from noonday_agent.balancers.runtime import Runtime
from noonday_shared.errors import Permanent, Temporary
from support.eventually import eventually
from support.haproxy import HaproxyWorld, KeepAliveLoad, fetch
from support.web_backend import WebBackend


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HaproxyWorld]:
    made = HaproxyWorld(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_requests_under_way_end_well_and_keep_it_from_being_idle(world: HaproxyWorld) -> None:
    balancer, web_1 = world.balancer(), world.backends[0]
    world.order("set server web/web-2 state maint")
    with world.slow_request_to(web_1):
        world.order("set server web/web-2 state ready")
        balancer.take_out()
        assert balancer.state() == "DRAIN 1 session"
        assert not balancer.idle()
    eventually(balancer.idle, what="idle after the request ended")
    assert balancer.state() == "DRAIN"


def test_a_kept_client_connection_no_longer_reaches_a_drained_server(world: HaproxyWorld) -> None:
    client = http.client.HTTPConnection("127.0.0.1", world.port, timeout=10)
    assert {_ask(client) for _ in range(10)} == {"web-1", "web-2"}
    world.balancer().take_out()
    assert {_ask(client) for _ in range(10)} == {"web-2"}
    client.close()


def _ask(client: http.client.HTTPConnection) -> str:
    client.request("GET", "/")
    return client.getresponse().read().decode()


def test_idle_connections_that_haproxy_keeps_to_the_server_do_not_count(world: HaproxyWorld) -> None:
    client = http.client.HTTPConnection("127.0.0.1", world.port, timeout=10)
    for _ in range(4):
        _ask(client)
    world.balancer().take_out()
    lines = world.haproxy.ask("show servers conn web").splitlines()
    kept = next(line.split() for line in lines if line.startswith("web/web-1 "))
    assert sum(map(int, kept[9:11])) + int(kept[6]) > 0, "HAProxy keeps no connection: this test would prove nothing"
    assert world.balancer().idle()
    client.close()


def test_it_comes_back_when_its_health_checks_pass_and_not_before(world: HaproxyWorld) -> None:
    balancer, web_1 = world.balancer(), world.backends[0]
    balancer.take_out()
    web_1.stop()
    eventually(lambda: balancer.state() == "DRAIN, DOWN", what="the stop seen by HAProxy's checks")
    assert balancer.idle()
    balancer.put_back()
    assert not balancer.in_service()
    assert not balancer.idle()
    assert not balancer.is_out()
    web_1.start()
    eventually(balancer.in_service, what="UP again")
    assert balancer.state().startswith("UP")


def test_a_server_whose_first_check_failed_is_still_sent_requests(tmp_path: Path) -> None:
    world = HaproxyWorld(tmp_path, fall=100_000)
    try:
        world.start()
        world.backends[0].healthy = False
        eventually(lambda: world.balancer().state().startswith("UP 9"), what="a failed check")
        assert world.balancer().in_service()
        world.backends[0].served = 0
        for _ in range(4):
            fetch(world.port)
        assert world.backends[0].served
    finally:
        world.stop()


def test_a_server_that_nothing_checks_is_in_service_as_soon_as_it_is_ready(world: HaproxyWorld) -> None:
    balancer = world.balancer(backend="unchecked")
    assert (balancer.in_service(), balancer.state()) == (True, "no check")
    balancer.take_out()
    assert (balancer.idle(), balancer.in_service(), balancer.state()) == (True, False, "DRAIN")
    balancer.put_back()
    assert balancer.in_service()


def test_weight_0_is_out_of_service_and_stays_the_operators(world: HaproxyWorld) -> None:
    balancer = world.balancer()
    world.order("set server web/web-1 weight 0")
    assert (balancer.in_service(), balancer.idle()) == (False, False)
    assert balancer.state() == "UP weight 0"
    balancer.take_out()
    assert balancer.idle()
    balancer.put_back()
    assert not balancer.in_service()


def test_an_operators_maintenance_is_not_turned_into_a_drain(world: HaproxyWorld) -> None:
    balancer = world.balancer()
    world.order("set server web/web-1 state maint")
    balancer.take_out()
    assert (balancer.state(), balancer.idle(), balancer.in_service()) == ("MAINT", True, False)
    balancer.check()
    assert balancer.state() == "MAINT"
    balancer.put_back()
    eventually(balancer.in_service, what="ready when that is asked for")


def test_clients_with_the_servers_cookie_go_elsewhere_while_it_is_out(world: HaproxyWorld) -> None:
    cookie = next(found for _, name, found in (fetch(world.sticky_port) for _ in range(10)) if name == "web-1")
    assert {fetch(world.sticky_port, cookie=cookie)[1] for _ in range(4)} == {"web-1"}
    balancer = world.balancer(backend="sticky")
    world.order("set server sticky/web-1 state drain")
    assert {fetch(world.sticky_port, cookie=cookie)[1] for _ in range(4)} == {"web-1"}, "HAProxy's drain changed"
    assert not balancer.idle()
    balancer.take_out()
    assert balancer.idle()
    assert {fetch(world.sticky_port, cookie=cookie)[:2] for _ in range(4)} == {(200, "web-2")}
    balancer.put_back()
    eventually(balancer.in_service, what="in service")
    assert {fetch(world.sticky_port, cookie=cookie)[1] for _ in range(4)} == {"web-1"}


def test_a_reload_that_forgets_the_drain_is_seen(world: HaproxyWorld) -> None:
    balancer = world.balancer()
    balancer.take_out()
    assert balancer.idle()
    world.haproxy.reload()
    eventually(balancer.in_service, what="let in by the new HAProxy")
    assert not balancer.idle()


def test_of_two_one_that_was_reloaded_is_seen_and_told_again(world: HaproxyWorld, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = HaproxyWorld(folder)
    try:
        other.start()
        pool = Pool((world.balancer(), other.balancer()))
        pool.take_out()
        assert not pool.lets_in()
        other.haproxy.reload()
        eventually(pool.lets_in, what="let in by the new HAProxy")
        assert not pool.in_service()
        pool.take_out()
        assert (pool.lets_in(), pool.idle()) == (False, True)
    finally:
        other.stop()


def test_one_that_was_reloaded_is_told_again_though_another_is_dead(world: HaproxyWorld) -> None:
    dead, balancer = world.balancer(address=str(world.folder / "nobody.sock")), world.balancer()
    pool = Pool((dead, balancer))
    balancer.take_out()
    world.haproxy.reload()
    eventually(pool.lets_in, what="let in by the new HAProxy")
    assert pool.hold_out()
    assert balancer.idle()
    balancer.put_back()


def test_one_that_was_reloaded_while_the_app_is_down_is_told_again_before_it_lets_it_in(world: HaproxyWorld) -> None:
    balancer, web_1 = world.balancer(), world.backends[0]
    balancer.take_out()
    web_1.stop()
    world.haproxy.reload()
    eventually(lambda: balancer.state().startswith("DOWN"), what="found down by the new HAProxy")
    pool = Pool((balancer,))
    assert not pool.lets_in()
    assert pool.hold_out()
    assert not pool.hold_out()
    web_1.start()
    eventually(lambda: balancer.state() == "DRAIN", what="found well again")
    assert balancer.is_out()
    balancer.put_back()
    eventually(balancer.in_service, what="back")


@pytest.mark.parametrize(
    ("backend", "server", "rule", "says"),
    [
        ("wep", "web-1", "balancer-unknown-backend", "no backend wep; did you mean web?"),
        ("zzz", "web-1", "balancer-unknown-backend", "no backend zzz; it has sticky, unchecked, web."),
        ("web", "web-11", "balancer-unknown-server", "no server web/web-11; did you mean web/web-1?"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest_one(
    world: HaproxyWorld, backend: str, server: str, rule: str, says: str
) -> None:
    balancer = world.balancer(server, backend=backend)
    for verb in (balancer.check, balancer.take_out, balancer.put_back, balancer.idle, balancer.in_service):
        with pytest.raises(Permanent) as caught:
            verb()
        assert says in caught.value.text
        assert caught.value.rule == rule


def test_a_socket_without_the_level_admin_is_found_by_the_check_which_changes_nothing(world: HaproxyWorld) -> None:
    balancer = world.balancer(address=str(world.folder / "operator.sock"))
    with pytest.raises(Permanent, match="its level is operator, not admin") as caught:
        balancer.check()
    assert "level admin" in caught.value.next_action
    assert not balancer.idle()
    with pytest.raises(Permanent, match="not admin"):
        balancer.take_out()


def test_a_socket_that_is_gone_is_temporary_and_changes_nothing(world: HaproxyWorld) -> None:
    balancer = world.balancer()
    aside = world.folder / "aside.sock"
    shutil.move(world.haproxy.admin_socket, aside)
    with pytest.raises(Temporary, match=r"haproxy web/web-1: .* can't be asked: No such file") as caught:
        balancer.take_out()
    assert caught.value.rule == "balancer-unreachable"
    shutil.move(aside, world.haproxy.admin_socket)
    assert not balancer.idle()


def test_an_address_that_never_answers_is_temporary_within_its_timeout(world: HaproxyWorld) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        balancer = world.balancer(address=f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
        with pytest.raises(Temporary, match="did not answer in time"):
            balancer.take_out()


def test_an_address_that_is_another_service_is_permanent(world: HaproxyWorld) -> None:
    balancer = world.balancer(address=world.backends[0].address)
    with pytest.raises(Permanent, match="not admin"):
        balancer.check()
    with pytest.raises(Permanent, match="what HAProxy would not"):
        balancer.take_out()


def test_the_tcp_address_does_the_same(world: HaproxyWorld) -> None:
    balancer = world.balancer(address=f"127.0.0.1:{world.tcp_port}")
    balancer.check()
    balancer.take_out()
    assert world.balancer().idle()


def test_a_verb_costs_at_most_three_connections(world: HaproxyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = Runtime.ask

    def counted(runtime: Runtime, line: str, *, deadline: float) -> str:
        asked.append(line)
        return ask(runtime, line, deadline=deadline)

    monkeypatch.setattr(Runtime, "ask", counted)
    balancer = world.balancer()
    costs = []
    for verb in (balancer.in_service, balancer.idle, balancer.state, balancer.take_out, balancer.put_back):
        asked.clear()
        verb()
        costs.append(len(asked))
    assert costs == [2, 2, 2, 3, 1]


def test_no_request_fails_while_a_server_is_drained_restarted_and_returned_under_load(world: HaproxyWorld) -> None:
    with KeepAliveLoad(world.port) as load:
        for number in (0, 1):
            balancer, backend = world.balancer(f"web-{number + 1}"), world.backends[number]
            load.after(60)
            balancer.take_out()
            eventually(balancer.idle, what="idle")
            backend.stop()
            load.after(60)
            backend.start()
            balancer.put_back()
            eventually(balancer.in_service, what="in service")
            _gets_more(backend)
    assert load.failures == []
    assert load.good > 240


def _gets_more(backend: WebBackend, more: int = 20) -> None:
    goal = backend.served + more
    eventually(lambda: backend.served >= goal, what=f"{more} requests to {backend.name}")


def test_what_haproxy_counts_for_one_server_grows_with_its_requests(world: HaproxyWorld) -> None:
    balancer, other = world.balancer(), world.balancer("web-2")
    before = balancer.traffic()
    world.order("set server web/web-2 state maint")
    unmoved = other.traffic()
    for _ in range(5):
        assert fetch(world.port)[0] == http.HTTPStatus.OK
    after = balancer.traffic()
    grown = {word: after[word] - before[word] for word in after}
    assert (grown["requests"], grown["2xx"], grown["5xx"], grown["errors"]) == (5, 5, 0, 0)
    assert other.traffic()["requests"] == unmoved["requests"]


def test_a_server_that_is_gone_gives_no_counts_but_says_why(world: HaproxyWorld) -> None:
    with pytest.raises(Permanent, match="has no server"):
        world.balancer("web-9").traffic()
