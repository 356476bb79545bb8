from __future__ import annotations

import math
from typing import Any

from noonday_coordinator.verdict.increase import MOST_KEYS
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


def test_a_key_that_made_room_on_the_host_counts_from_zero_again() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, {"a": (50, 40)}), 10.0)
    sampler.cut("web", 10.0)
    sampler.add(evidence(2, {"a": (3, 2)}), 20.0)
    sampler.add(evidence(3, {"a": (9, 4)}), 30.0)
    assert only(sampler.cut("web", 30.0)).counts == {"a": (9, 4)}


def test_a_clock_that_is_set_makes_no_seconds_and_loses_no_counts() -> None:
    sampler = Sampler(since=0.0)
    year = 365 * 86_400.0
    for seq, sent_at in enumerate((10.0, 5 * year, 20.0, 5.0), 1):
        more = evidence(seq, {"a": (seq, seq)}, sent_at=sent_at, requests=seq, counted_for=10.0 * seq)
        assert sampler.add(more, 10.0 * seq)
        seen = only(sampler.cut("web", 10.0 * seq))
        assert (seen.seconds, seen.counts, seen.requests) == (10.0, {"a": (1, 1)}, 1)
        assert sampler.cut("web", 10.0 * seq)[0].ends == 10.0 * seq


def test_without_a_clock_that_nobody_sets_a_jump_back_is_no_time() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, {"a": (1, 1)}, sent_at=1000.0), 10.0)
    sampler.cut("web", 10.0)
    sampler.add(evidence(2, {"a": (4, 3)}, sent_at=700.0), 20.0)
    seen = only(sampler.cut("web", 20.0))
    assert (seen.seconds, seen.counts) == (0.0, {"a": (3, 2)})


def test_a_host_years_off_is_as_good_as_any() -> None:
    sampler = Sampler(since=1000.0)
    for seq, at in ((1, 1010.0), (2, 1020.0)):
        sampler.add(evidence(seq, {"a": (seq, seq)}, since=4e9, sent_at=4e9 + at, counted_for=at - 1005), at)
        seen = only(sampler.cut("web", at))
    assert (seen.seconds, seen.counts) == (10.0, {"a": (1, 1)})


def test_windows_go_on_when_the_coordinators_clock_was_set_back() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1), 10_000.0)
    sampler.cut("web", 10_000.0)
    sampler.add(evidence(2, {"a": (1, 1)}), 4000.0)
    assert sampler.due("web", 4000.0, 10.0)
    assert only(sampler.cut("web", 4000.0)).counts == {"a": (1, 1)}
    assert not sampler.due("web", 4001.0, 10.0)


def test_a_burst_of_late_counts_is_one_long_window() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, {"a": (1, 1)}, requests=10), 10.0)
    sampler.cut("web", 10.0)
    for seq in range(20, 25):
        sampler.add(evidence(seq, {"a": (seq, seq)}, requests=10 * seq), 250.0)
    seen = only(sampler.cut("web", 250.0))
    assert (seen.seconds, seen.requests, seen.counts) == (230.0, 230, {"a": (23, 23)})


def test_several_messages_of_one_window_add_up() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, gauges={"cpu_seconds": 1.0, "fds": 9.0}, latency=LATENCY, overflow={"INFO": 1}), 10.0)
    sampler.cut("web", 10.0)
    twice = tuple(2 * one for one in LATENCY)
    sampler.add(evidence(2, gauges={"cpu_seconds": 1.5, "fds": 8.0}, latency=twice, balancer={"requests": 4}), 20.0)
    sampler.add(evidence(3, gauges={"cpu_seconds": 1.75, "fds": 7.0}, latency=twice, balancer={"requests": 9}), 30.0)
    seen = only(sampler.cut("web", 30.0))
    assert (seen.gauges, seen.latency, seen.balancer) == ({"cpu_seconds": 0.75, "fds": 7.0}, LATENCY, {"requests": 9})
    assert (seen.seconds, seen.first, seen.overflow) == (20.0, False, {})


def test_a_flood_of_kinds_is_bounded_and_counted_as_overflow() -> None:
    sampler = Sampler(since=0.0)
    per_message = 4000
    for seq in range(MOST_KEYS // per_message + 3):
        flood = {f"{seq}-{number}": (1, 1) for number in range(per_message)}
        sampler.add(evidence(seq, flood), 10.0 + seq)
    (window,) = sampler.cut("web", 60.0)
    seen = window.hosts["web-1"]
    assert len(seen.counts) == MOST_KEYS
    assert sum(seen.overflow.values()) == 3 * per_message


def test_a_host_that_lost_its_number_of_starts_is_named_and_told_what_to_do() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, boot=4_000_000_000), 10.0)
    assert not sampler.add(evidence(1, boot=1_700_000_000), 20.0)
    assert sampler.refused("web", "web-1") == ""
    assert not sampler.add(evidence(9, boot=1_700_000_000), 200.0)
    assert "noonday remove web-1" in sampler.refused("web", "web-1")
    sampler.forget(["web-1"])
    assert sampler.add(evidence(10, boot=1_700_000_000), 210.0)


def test_a_window_names_who_told_nothing_of_use_for_a_while() -> None:
    sampler = Sampler(since=0.0)
    sampler.add(evidence(1, host="web-2"), 10.0)
    sampler.refuse("web", "web-1", "rubbish", 10.0)
    assert sampler.cut("web", 10.0)[0].refused == {"web-1": "rubbish"}
    sampler.add(evidence(2, host="web-2"), 300.0)
    assert sampler.cut("web", 300.0)[0].refused == {}
