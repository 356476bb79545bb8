"""What every balancer driver promises, real or fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from noonday_agent.balancers.pool import Pool
from noonday_agent.balancers.protocol import Balancer
from noonday_shared.errors import Temporary
from support.balancer_rigs import RIGS, TELL_REQUESTS, Rig
from support.eventually import eventually
from support.fake_balancer import BrokenBalancer


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with RIGS[request.param](tmp_path) as made:
        yield made


def _idle(rig: Rig) -> None:
    rig.settle()
    eventually(rig.build().idle, what="idle")


def _in_service(rig: Rig) -> None:
    rig.settle()
    eventually(rig.build().in_service, what="in service")


def test_a_server_nobody_took_out_is_in_service_and_not_idle(rig: Rig) -> None:
    _in_service(rig)
    assert not rig.build().idle()
    assert not rig.build().is_out()


def test_a_server_goes_out_becomes_idle_and_comes_back(rig: Rig) -> None:
    balancer = rig.build()
    _in_service(rig)
    balancer.take_out()
    assert not balancer.in_service()
    assert balancer.is_out()
    _idle(rig)
    balancer.put_back()
    assert not balancer.idle()
    _in_service(rig)


def test_taking_out_twice_is_taking_out_once(rig: Rig) -> None:
    rig.build().take_out()
    rig.settle()
    rig.build().take_out()
    assert not rig.build().in_service()
    # Not settled again: a repeat does not begin the settle time anew.
    eventually(rig.build().idle, what="idle", within=5)


def test_putting_back_twice_is_putting_back_once(rig: Rig) -> None:
    rig.build().take_out()
    _idle(rig)
    rig.build().put_back()
    rig.settle()
    rig.build().put_back()
    eventually(rig.build().in_service, what="in service", within=5)


def test_another_object_knows_what_the_first_one_did(rig: Rig) -> None:
    rig.build().take_out()
    other = rig.build()
    assert not other.in_service()
    rig.settle()
    eventually(other.idle, what="idle")
    assert other.name == rig.build().name


@pytest.mark.parametrize("rig", TELL_REQUESTS, indirect=True)
def test_a_server_with_a_request_under_way_is_not_idle(rig: Rig) -> None:
    assert rig.busy is not None
    balancer = rig.build()
    with rig.busy():
        balancer.take_out()
        rig.settle()
        assert not balancer.in_service()
        assert not balancer.idle()
        assert balancer.is_out()
    _idle(rig)


def test_its_words_differ_between_in_and_out(rig: Rig) -> None:
    _in_service(rig)
    words_in = rig.build().state()
    rig.build().take_out()
    _idle(rig)
    words_out = rig.build().state()
    assert words_in
    assert words_out
    assert words_in != words_out


def test_checking_a_sound_balancer_finds_and_changes_nothing(rig: Rig) -> None:
    rig.build().check()
    _in_service(rig)
    rig.build().take_out()
    _idle(rig)
    rig.build().check()
    assert rig.build().idle()


VERBS: dict[str, Callable[[Balancer], object]] = {
    "in_service": lambda balancer: balancer.in_service(),
    "take_out": lambda balancer: balancer.take_out(),
    "is_out": lambda balancer: balancer.is_out(),
    "idle": lambda balancer: balancer.idle(),
    "put_back": lambda balancer: balancer.put_back(),
    "state": lambda balancer: balancer.state(),
    "check": lambda balancer: balancer.check(),
}


def test_a_broken_world_is_temporary_and_names_the_balancer(rig: Rig) -> None:
    rig.build().take_out()
    rig.break_world()
    for verb in VERBS.values():
        with pytest.raises(Temporary) as caught:
            verb(rig.build())
        assert caught.value.text.startswith(f"{rig.build().name}: ")
        assert caught.value.next_action


@pytest.mark.parametrize("first", [True, False])
def test_beside_one_that_can_not_be_asked_it_is_seen_to_be_out_and_to_be_let_in_again(rig: Rig, first: bool) -> None:
    other = BrokenBalancer()
    pool = Pool((other, rig.build()) if first else (rig.build(), other))
    _in_service(rig)
    assert pool.lets_in()
    assert not pool.idle()
    with pytest.raises(Temporary, match="broken web/web-1"):
        pool.in_service()  # the other one may keep it out
    rig.build().take_out()
    _idle(rig)
    assert not pool.in_service()
    for unknown in (pool.lets_in, pool.idle):
        with pytest.raises(Temporary, match="broken web/web-1"):
            unknown()


@pytest.mark.parametrize("verb", VERBS)
def test_the_broken_fake_never_answers(verb: str) -> None:
    with pytest.raises(Temporary, match="broken web/web-1"):
        VERBS[verb](BrokenBalancer())
