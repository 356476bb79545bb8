"""Windows of the past put together: nothing is counted twice or lost, and releases stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from noonday_coordinator.verdict.coarser import coarser
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages.evidence import Template
from noonday_shared.messages.latency import BUCKETS

SEEN = HostWindow(
    "1.0.0-a",
    10.0,
    requests=5,
    statuses={"2xx": 5},
    latency=(1,) * BUCKETS,
    counts={"k": (3, 2)},
    balancer={"requests": 5},
    gauges={"cpu_seconds": 0.5, "rss_bytes": 100.0},
    age=40.0,
    restarts=1,
    dropped=7,
    overflow={"INFO": 2},
)


def test_what_two_windows_of_a_host_tell_adds_up() -> None:
    later = replace(SEEN, counts={"k": (1, 1), "m": (4, 4)}, gauges={"cpu_seconds": 0.25, "rss_bytes": 120.0}, age=50.0)
    (found,) = coarser([Window(10.0, {"web-1": SEEN}), Window(20.0, {"web-1": later})], 120.0)
    both = found.hosts["web-1"]
    assert found.ends == 20.0
    assert (both.seconds, both.requests, both.restarts, both.dropped, both.age) == (20.0, 10, 2, 14, 40.0)
    assert both.counts == {"k": (4, 3), "m": (4, 4)}
    assert both.gauges == {"cpu_seconds": 0.75, "rss_bytes": 120.0}
    assert both.latency == (2,) * BUCKETS
    assert (both.statuses, both.balancer, both.overflow) == ({"2xx": 10}, {"requests": 10}, {"INFO": 4})


def test_cpu_time_that_one_part_does_not_tell_is_left_out() -> None:
    windows = [Window(10.0, {"web-1": SEEN}), Window(20.0, {"web-1": replace(SEEN, gauges={"rss_bytes": 1.0})})]
    assert coarser(windows, 120.0)[0].hosts["web-1"].gauges == {"rss_bytes": 1.0}


def test_a_host_that_changed_its_release_has_two_windows_in_their_order() -> None:
    new = replace(SEEN, release="1.1.0-b", first=True)
    windows = [Window(10.0, {"web-1": SEEN, "web-2": SEEN}), Window(20.0, {"web-1": new, "web-2": SEEN})]
    first, last = coarser(windows, 120.0)
    assert first.hosts["web-1"].release == "1.0.0-a"
    assert first.hosts["web-2"].requests == 10
    assert set(last.hosts) == {"web-1"}
    assert last.hosts["web-1"].release == "1.1.0-b"


def test_every_word_that_was_told_is_told_once() -> None:
    told = Template(key="k", level="INFO", text="hello", first_seen=1.0)
    windows = [Window(10.0, {}, (told,)), Window(20.0, {}, (told,), {"web-3": "too old"})]
    (found,) = coarser(windows, 120.0)
    assert (found.templates, found.refused) == ((told,), {"web-3": "too old"})


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 9), st.booleans()), max_size=40),
    st.sampled_from([20.0, 60.0, 1000.0]),
)
def test_nothing_is_lost_or_counted_twice(told: list[tuple[str, str, int, bool]], seconds: float) -> None:
    windows = [
        Window(10.0 * at, {host: HostWindow(release, 10.0, requests=count, counts={"k": (count, 1)}, first=first)})
        for at, (host, release, count, first) in enumerate(told)
    ]
    found = coarser(windows, seconds)
    for one in "ab":
        for release in "xy":
            assert _all(found, one, release) == _all(windows, one, release)
    assert [window.ends for window in found] == sorted(window.ends for window in found)


def _all(windows: Sequence[Window], host: str, release: str) -> tuple[int, int, float]:
    seen = [window.hosts[host] for window in windows if host in window.hosts and window.hosts[host].release == release]
    return sum(one.requests for one in seen), sum(one.counts["k"][1] for one in seen), sum(one.seconds for one in seen)
