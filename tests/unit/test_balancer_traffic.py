"""What balancers counted, summed over several of them and over their reloads."""

from __future__ import annotations

from dataclasses import dataclass

from noonday_agent.balancers.haproxy_place import read_states, read_traffic
from noonday_agent.balancers.pool import Pool
from noonday_agent.balancers.traffic import Traffic
from support.fake_balancer import BrokenBalancer, FakeBalancer, FakePlace


@dataclass(frozen=True)
class Counter(FakeBalancer):
    requests: int = 7

    def traffic(self) -> dict[str, int]:
        return {"requests": self.requests}


class BrokenCounter(BrokenBalancer):
    def traffic(self) -> dict[str, int]:
        self._fail()


def test_only_what_comes_after_the_first_look_counts() -> None:
    traffic = Traffic()
    traffic.add({"a": {"requests": 100, "5xx": 3}})
    assert traffic.sums() == {}
    traffic.add({"a": {"requests": 110, "5xx": 4}})
    assert traffic.sums() == {"requests": 10, "5xx": 1}


def test_several_balancers_are_added_up_and_one_that_is_silent_is_made_up_for() -> None:
    traffic = Traffic()
    traffic.add({"a": {"requests": 1}, "b": {"requests": 1}})
    traffic.add({"a": {"requests": 3}})
    traffic.add({"a": {"requests": 4}, "b": {"requests": 11}})
    assert traffic.sums() == {"requests": 13}


def test_a_reload_makes_nothing_smaller_and_loses_nothing_after_it() -> None:
    traffic = Traffic()
    traffic.add({"a": {"requests": 100, "5xx": 0}})
    traffic.add({"a": {"requests": 110, "5xx": 0}})
    traffic.add({"a": {"requests": 4, "5xx": 1}})
    assert traffic.sums() == {"requests": 14, "5xx": 1}


def test_averages_become_the_time_that_requests_took_together() -> None:
    traffic = Traffic()
    traffic.add({"a": {"requests": 0, "average_ms": 0}})
    traffic.add({"a": {"requests": 10, "average_ms": 20}})
    traffic.add({"a": {"requests": 20, "average_ms": 15}})
    assert traffic.sums() == {"requests": 20, "response_ms": 350}


def test_a_new_counting_begins_at_zero_and_forgets_no_place() -> None:
    traffic = Traffic()
    traffic.add({"a": {"requests": 5}})
    traffic.add({"a": {"requests": 8}})
    traffic.begin()
    assert traffic.sums() == {}
    traffic.add({"a": {"requests": 9}})
    assert traffic.sums() == {"requests": 1}


def test_balancers_that_do_not_count_and_those_that_do_not_answer_are_left_out() -> None:
    place = FakePlace()
    pool = Pool((FakeBalancer(place), Counter(place, name="counts"), BrokenCounter()))
    assert pool.traffic() == {"counts": {"requests": 7}}


STATES = """1
# be_id be_name srv_id srv_name
3 web 1 web-1
"""
COLUMNS = "# pxname,svname,stot,econ,eresp,wretr,wredis,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,req_tot,rtime,\n"


def test_haproxys_columns_are_read_and_absent_ones_are_absent() -> None:
    state = read_states(STATES)["web-1"]
    assert read_traffic(state, COLUMNS + "web,web-1,5,1,2,3,4,10,11,12,13,46,7,\n") == {
        "requests": 46,
        "errors": 3,
        "retries": 7,
        "2xx": 10,
        "3xx": 11,
        "4xx": 12,
        "5xx": 13,
        "average_ms": 7,
    }
    assert read_traffic(state, COLUMNS + "web,web-1,5,1,2,3,4,,,,,,,\n") == {"requests": 5, "errors": 3, "retries": 7}
    assert read_traffic(state, COLUMNS + "web,web-2,5,1,2,3,4,,,,,,,\n") is None
