from __future__ import annotations

import math
from typing import Any

from noonday_coordinator.verdict.sampler import Sampler
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages import Evidence
from noonday_shared.messages.evidence import Template
from noonday_shared.messages.latency import BUCKETS

LATENCY = (1, *(0,) * (BUCKETS - 1))


def evidence(
    seq: int,
    counts: dict[str, tuple[int, int]] | None = None,
    *,
    host: str = "web-1",
    epoch: int = 1,
    boot: int = 1,
    sent_at: float = 0.0,
    since: float = 0.0,
    **more: Any,
) -> Evidence:
    return Evidence.model_validate(
        {
            "host": host,
            "app": "web",
            "boot": boot,
            "epoch": epoch,
            "seq": seq,
            "release": "1.0.0-aaaaaaaa",
            "since": since,
            "sent_at": sent_at or 10.0 * seq,
            "counts": counts or {},
            **more,
        }
    )


def told(key: str, first_seen: float) -> Template:
    return Template(key=key, level="ERROR", text=f"{key} failed", first_seen=first_seen)


def only(windows: tuple[Window, ...], host: str = "web-1") -> HostWindow:
    (window,) = windows
    return window.hosts[host]


def test_a_window_holds_the_increase_since_the_one_before() -> None:
    sampler = Sampler(since=0.0)
    first: dict[str, Any] = {
        "requests": 7,
        "statuses": {"2xx": 7},
        "latency": LATENCY,
        "gauges": {"cpu_seconds": 3.0, "fds": 9.0},
    }
    sampler.add(evidence(1, {"a": (3, 2)}, **first), 10.0)
    begun = only(sampler.cut("web", 10.0))
    assert (begun.first, begun.requests, begun.counts, begun.latency) == (True, 7, {"a": (3, 2)}, LATENCY)
    more: dict[str, Any] = {"requests": 9, "statuses": {"2xx": 8, "5xx": 1}, "gauges": {"cpu_seconds": 3.5, "fds": 8.0}}
    sampler.add(evidence(2, {"a": (5, 3), "b": (1, 1)}, restarts=1, dropped=40, started_at=5.0, **more), 20.0)
    seen = only(sampler.cut("web", 20.0))
    assert (seen.first, seen.requests, seen.seconds, seen.age) == (False, 2, 10.0, 15.0)
    assert seen.counts == {"a": (2, 1), "b": (1, 1)}
    assert seen.statuses == {"2xx": 1, "5xx": 1}
    assert seen.gauges == {"cpu_seconds": 0.5, "fds": 8.0}
    assert (seen.restarts, seen.dropped) == (1, 40)


def test_what_a_lost_message_told_is_in_the_next_window() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, {"a": (1, 1)}), 10.0)
    sampler.cut("web", 10.0)
    sampler.add(evidence(3, {"a": (9, 6)}), 30.0)
    seen = only(sampler.cut("web", 30.0))
    assert (seen.counts, seen.seconds) == ({"a": (8, 5)}, 20.0)


def test_messages_that_come_twice_or_late_change_nothing() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(2, {"a": (5, 5)}), 20.0)
    sampler.cut("web", 20.0)
    assert not sampler.add(evidence(2, {"a": (5, 5)}), 21.0)
    assert not sampler.add(evidence(1, {"a": (2, 2)}), 22.0)
    assert not sampler.due("web", 60.0, 10.0)


def test_another_start_of_counting_begins_at_zero_and_keeps_the_tail_of_the_last() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, {"a": (5, 5)}), 10.0)
    sampler.cut("web", 10.0)
    sampler.add(evidence(2, {"a": (7, 7)}), 20.0)
    sampler.add(evidence(1, {"a": (2, 1)}, epoch=2, release="1.1.0-bbbbbbbb", since=22.0, sent_at=30.0), 30.0)
    tail, window = sampler.cut("web", 30.0)
    assert (tail.hosts["web-1"].release, tail.hosts["web-1"].counts) == ("1.0.0-aaaaaaaa", {"a": (2, 2)})
    new = window.hosts["web-1"]
    assert (new.release, new.first, new.counts, new.seconds) == ("1.1.0-bbbbbbbb", True, {"a": (2, 1)}, 8.0)


def test_what_was_counted_before_anybody_listened_is_no_increase() -> None:
    sampler = Sampler(since=1000.0)
    sampler.add(evidence(100, {"a": (5000, 900)}, since=1.0, sent_at=1000.0), 1005.0)
    sampler.cut("web", 1005.0)
    turn = {"old": (70, 70), "new": (2, 2), "a": (5001, 901)}
    later = evidence(101, turn, since=1.0, sent_at=1010.0, templates=(told("old", 3.0), told("new", 1005.0)))
    sampler.add(later, 1015.0)
    assert only(sampler.cut("web", 1015.0)).counts == {"a": (1, 1), "new": (2, 2)}


def test_an_agent_of_another_identity_version_is_named_and_never_counted() -> None:
    sampler = Sampler(since=0.0)
    assert not sampler.add(evidence(1, {"a": (1, 1)}, identity_version=1), 10.0)
    assert "until its agent is of the same version" in sampler.refused("web", "web-1")
    (window,) = sampler.cut("web", 20.0)
    assert (window.hosts, list(window.refused)) == ({}, ["web-1"])
    sampler.add(evidence(2, {"a": (1, 1)}), 20.0)
    assert sampler.refused("web", "web-1") == ""


def test_a_window_is_cut_when_all_hosts_told_something_or_the_longest_time_is_over() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1), 10.0)
    sampler.add(evidence(1, host="web-2"), 10.0)
    assert sampler.due("web", 10.0, 10.0)
    sampler.cut("web", 10.0)
    sampler.add(evidence(2), 13.0)
    assert not sampler.due("web", 13.0, 10.0)
    assert sampler.due("web", 20.0, 10.0)
    sampler.add(evidence(2, host="web-2"), 14.0)
    assert sampler.due("web", 14.0, 10.0)
    assert not sampler.due("web", 11.9, 10.0)


def test_templates_are_told_once_in_the_next_window() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, templates=(told("b", 1.0), told("a", 1.0))), 10.0)
    (window,) = sampler.cut("web", 10.0)
    assert [one.key for one in window.templates] == ["a", "b"]
    sampler.add(evidence(2), 20.0)
    assert sampler.cut("web", 20.0)[0].templates == ()


def test_a_gauge_that_is_no_number_is_left_out() -> None:
    sampler = Sampler(since=0.0)
    broken = evidence(1).model_copy(update={"gauges": {"fds": math.nan, "rss_bytes": math.inf, "threads": 4.0}})
    sampler.add(broken, 10.0)
    assert only(sampler.cut("web", 10.0)).gauges == {"threads": 4.0}


def test_after_a_restart_of_ours_nothing_is_lost_and_nothing_counted_twice() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, {"a": (5, 5)}), 10.0)
    sampler.cut("web", 10.0)
    again = Sampler(since=15.0)
    again.resume("web", sampler.bases("web"), 10.0)
    assert not again.add(evidence(1, {"a": (5, 5)}), 16.0)
    again.add(evidence(2, {"a": (8, 6), "b": (1, 1)}), 20.0)
    seen = only(again.cut("web", 20.0))
    assert (seen.counts, seen.seconds) == ({"a": (3, 1), "b": (1, 1)}, 10.0)
