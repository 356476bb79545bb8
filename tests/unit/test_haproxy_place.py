from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from noonday_agent.balancers.haproxy_place import Place, read_place, read_states, stat_command

DATA = Path(__file__).parent / "data"
STATES = (DATA / "haproxy-2.6-states.txt").read_text()
STATS = (DATA / "haproxy-2.6-stats.csv").read_text().splitlines()
UP = Place(status="UP", admin=0, operation=2, weight=1, under_way=0, sticky=False)


def _answer(server: str) -> str:
    """As HAProxy answers for one server: the header and its line."""
    return "\n".join([STATS[0], *(line for line in STATS if line.startswith(f"web,{server},")), ""])


def _recorded(server: str) -> Place:
    place = read_place(read_states(STATES)[server], _answer(server))
    assert place is not None
    return place


@pytest.mark.parametrize(
    ("server", "gets_requests", "is_out", "words"),
    [
        ("up", True, False, "UP"),
        ("unchecked", True, False, "no check"),
        ("going-down", True, False, "UP 99988/100000"),
        ("slow-start", True, False, "UP"),
        ("was-disabled", True, False, "no check"),
        ("down", False, False, "DOWN"),
        ("stopping", False, False, "NOLB"),
        ("weightless", False, False, "no check weight 0"),
        ("drained", False, True, "DRAIN"),
        ("drained-down", False, True, "DRAIN, DOWN"),
        ("follows-drained", False, True, "DRAIN"),
        ("maintenance", False, True, "MAINT"),
        ("disabled", False, True, "MAINT"),
        ("follows-maintenance", False, True, "MAINT (via web/up-maintenance)"),
        ("sticky-drained", False, False, "DRAIN"),
    ],
)
def test_what_haproxy_2_6_showed_is_read_as_it_was(server: str, gets_requests: bool, is_out: bool, words: str) -> None:
    place = _recorded(server)
    assert (place.gets_requests, place.is_out, place.words) == (gets_requests, is_out, words)


@pytest.mark.parametrize(
    ("server", "forced"),
    [
        ("up", False),
        ("drained", True),
        ("maintenance", True),
        ("disabled", True),
        ("was-disabled", False),
        ("follows-drained", False),
        ("follows-maintenance", False),
        ("sticky-drained", False),
    ],
)
def test_only_an_order_for_this_very_server_counts_as_forced_out(server: str, forced: bool) -> None:
    assert _recorded(server).forced_out is forced


def test_what_is_under_way_is_the_sum_of_sessions_and_queue() -> None:
    line = dict(zip(STATS[0][2:].split(","), _answer("drained").splitlines()[1].split(","), strict=True))
    busy = ",".join((line | {"scur": "2", "qcur": "3", "idle_conn_cur": "7"}).values())
    place = read_place(read_states(STATES)["drained"], f"{STATS[0]}\n{busy}\n")
    assert place is not None
    assert (place.under_way, place.words) == (5, "DRAIN 5 sessions")


def test_one_session_is_one() -> None:
    assert replace(UP, status="MAINT", admin=1, under_way=1).words == "MAINT 1 session"


def test_a_cell_with_commas_and_quotes_does_not_shift_the_others() -> None:
    shifted = _answer("up").replace("Layer7 check passed", '"200, ""fine"", and more"')
    assert "fine" in shifted or "Layer7" not in _answer("up")
    assert read_place(read_states(STATES)["up"], shifted) == _recorded("up")


def test_a_server_is_asked_for_by_number() -> None:
    state = read_states(STATES)["up"]
    assert stat_command(state) == f"show stat {state['be_id']} 4 {state['srv_id']}"


@pytest.mark.parametrize("answer", [_answer("down"), STATS[0], "No such proxy.\n\n"])
def test_an_answer_about_another_server_is_no_answer(answer: str) -> None:
    assert read_place(read_states(STATES)["up"], answer) is None


@pytest.mark.parametrize("answer", ["", "1\n", "HTTP/1.1 400 Bad request\r\n", "# pxname,svname\nweb,up\n"])
def test_what_is_no_table_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match="in it"):
        read_place(read_states(STATES)["up"], answer)
    with pytest.raises(ValueError, match="in it"):
        read_states(answer)
