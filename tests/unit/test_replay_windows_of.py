from __future__ import annotations

from collections.abc import Iterator

import pytest

from noonday_coordinator.replay.windows_of import HostLog, Line, Source, cut, windows_of
from noonday_coordinator.verdict.window import Window
from noonday_shared.errors import BadInput
from noonday_shared.names import ReleaseRef

OLD = ReleaseRef(version="1.0.0", digest="a" * 64)
NEW = ReleaseRef(version="1.1.0", digest="b" * 64)
NINE = 1_700_000_000.0
RELEASES = {"web-1": NEW, "Web_2": OLD}
ACCESS = b'10.0.0.1 - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.1" 200 12 0.040'


def said(text: str, *seconds: float) -> list[Line]:
    return [(NINE + second, f"ERROR shop: {text}".encode()) for second in seconds]


def totals(windows: list[Window], host: str) -> list[tuple[int, int]]:
    """Records and episodes of all kinds, by window."""
    seen = [window.hosts[host].counts.values() for window in windows]
    return [(sum(records for records, _ in counts), sum(episodes for _, episodes in counts)) for counts in seen]


def test_each_window_holds_what_was_written_in_it() -> None:
    windows = windows_of({"web-1": said("no price", 0, 1, 12, 35)}, RELEASES)
    assert [window.ends - NINE for window in windows] == [10, 20, 30, 40]
    assert totals(windows, "web-1") == [(2, 2), (1, 1), (0, 0), (1, 1)]
    assert {window.hosts["web-1"].release for window in windows} == {NEW.id}
    assert {window.hosts["web-1"].seconds for window in windows} == {10.0}
    assert {one.text for window in windows for one in window.templates} == {"no price"}


def test_a_host_that_says_nothing_was_quiet_and_any_name_will_do() -> None:
    windows = windows_of({"web-1": said("no price", 0, 25), "Web_2": said("no price", 1)}, RELEASES)
    assert totals(windows, "Web_2") == [(1, 1), (0, 0), (0, 0)]
    assert windows[2].hosts["Web_2"].release == OLD.id


def test_begin_and_end_say_from_when_to_when() -> None:
    lines = said("no price", 0, 15, 25, 95)
    windows = windows_of({"web-1": lines}, RELEASES, step=20.0, begin=NINE + 10, end=NINE + 50)
    assert [window.ends - NINE for window in windows] == [30, 50]
    assert totals(windows, "web-1") == [(2, 2), (0, 0)]


def test_records_of_one_second_are_one_episode_and_a_requests_records_too() -> None:
    windows = windows_of({"web-1": said("no price", 0.1, 0.2, 0.9, 1.0)}, RELEASES)
    assert totals(windows, "web-1") == [(4, 2)]
    lines = [(NINE + turn / 5, b"ERROR shop: request_id=ab%04d no price" % (turn // 2)) for turn in range(100)]
    # What ids look like must be learned from the first lines.
    assert totals(windows_of({"web-1": lines}, RELEASES), "web-1")[1] == (50, 25)


def test_a_trace_is_one_record_also_at_the_end_and_where_a_window_ends() -> None:
    trace = (b"Traceback (most recent call last):", b'  File "/srv/shop/pay.py", line 3, in pay', b"KeyError: 'x'")
    lines = [(NINE + at, line) for at in (9.9, 30.0) for line in (b"ERROR shop: failed", *trace)]
    windows = windows_of({"web-1": [(NINE, b"ERROR shop: begun"), *lines]}, RELEASES)
    assert sum(records for records, _ in totals(windows, "web-1")) == 3
    assert "KeyError in srv/shop/pay.py pay" in {one.text for window in windows for one in window.templates}


def test_requests_are_counted_from_access_lines_of_any_file() -> None:
    lines = [(NINE + second, ACCESS) for second in range(8)]
    (window,) = windows_of({"web-1": lines}, RELEASES)
    assert (window.hosts["web-1"].requests, window.hosts["web-1"].statuses) == (8, {"2xx": 8})
    assert sum(window.hosts["web-1"].latency) == 8


def test_several_files_of_a_host_are_read_side_by_side() -> None:
    sources = (Source(said("no price", 0, 21)), Source([(NINE + 11, ACCESS), (NINE + 12, b'"GET')], access=True))
    windows = list(cut([HostLog("web-1", NEW, sources)]))
    assert totals(windows, "web-1") == [(1, 1), (0, 0), (1, 1)]
    assert [window.hosts["web-1"].requests for window in windows] == [0, 1, 0]


def test_outside_its_own_time_a_host_says_nothing() -> None:
    short = HostLog("web-1", NEW, [Source(said("no price", 12, 14))], begin=NINE + 12, end=NINE + 14)
    long = HostLog("web-2", OLD, [Source(said("no price", 0, 45))])
    assert ["web-1" in window.hosts for window in cut([short, long])] == [False, True, False, False, False]


def test_many_kinds_of_record_are_all_told_in_their_window() -> None:
    words = [f"{chr(97 + a)}{chr(97 + b)}{chr(97 + c)}" for a in range(10) for b in range(10) for c in range(10)]
    lines = [line for word in words for line in said(f"no {word} here", 1)]
    (window,) = windows_of({"web-1": lines}, RELEASES)
    assert len(window.templates) == len(window.hosts["web-1"].counts) == 1000


def test_a_clock_that_was_set_back_loses_no_line() -> None:
    windows = windows_of({"web-1": said("no price", 0, 15, 3, 4, 25)}, RELEASES)
    assert [records for records, _ in totals(windows, "web-1")] == [1, 3, 1]


def test_lines_are_taken_only_as_they_are_needed() -> None:
    taken: list[float] = []

    def lines() -> Iterator[Line]:
        for second in range(0, 1000, 5):
            taken.append(second)
            yield said("no price", second)[0]

    windows = cut([HostLog("web-1", NEW, [Source(lines())])])
    next(windows)
    assert len(taken) <= 4


def test_no_lines_are_no_windows() -> None:
    assert windows_of({}, RELEASES) == []
    assert windows_of({"web-1": []}, RELEASES) == []


def test_a_wrong_date_does_not_make_windows_without_end() -> None:
    with pytest.raises(BadInput, match="more than"):
        windows_of({"web-1": [(0.0, b"ERROR shop: begun"), *said("no price", 0)]}, RELEASES)


def test_a_flood_of_garbage_is_counted_but_told_apart_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noonday_coordinator.replay.windows_of.MOST_KINDS", 20)
    words = [f"{chr(97 + a)}{chr(97 + b)}" for a in range(10) for b in range(10)]
    garbage = [(NINE + turn, f"INFO shop: {word} is here".encode()) for turn, word in enumerate(words)]
    windows = windows_of({"web-1": [*garbage, *said("no price", 101)]}, RELEASES)
    assert len({one.key for window in windows for one in window.templates}) == 21
    assert "no price" in {one.text for one in windows[-1].templates}
    told = sum(records for records, _ in totals(windows, "web-1"))
    assert (told, sum(window.hosts["web-1"].overflow.get("INFO", 0) for window in windows)) == (21, 80)
