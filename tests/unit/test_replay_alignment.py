from __future__ import annotations

from dataclasses import replace

from noonday_coordinator.replay.alignment import MOST_WINDOWS, Span, align
from noonday_coordinator.replay.arranged import EVERY, arrange
from noonday_coordinator.replay.stamps import DAY
from noonday_coordinator.verdict.window import HostWindow, Window

NINE = 1_700_000_000.0
HOUR = 3600.0
NEW = Span(NINE, NINE + HOUR)


def windows(number: int, host: str, release: str, *, requests: int = 10, errors: int = 1) -> list[Window]:
    counts = dict.fromkeys(("a", "b", "c"), (errors, errors))
    seen = HostWindow(release, 10.0, requests=requests, statuses={"2xx": requests}, counts=counts)
    return [Window(NINE + 10.0 * turn, {host: seen}) for turn in range(1, number + 1)]


def test_sides_of_the_same_time_are_laid_side_by_side_and_what_was_before_is_kept() -> None:
    found = align(Span(NINE - HOUR, NINE + HOUR), NEW)
    assert "same time" in found.words
    assert (found.shift, found.first, found.new.step, found.new.number) == (0.0, -180, 20.0, 181)
    assert found.old.begin == NINE - HOUR


def test_yesterdays_logs_are_laid_beside_todays_by_the_time_of_day() -> None:
    found = align(Span(NINE - DAY - 100, NINE - DAY + HOUR), NEW)
    assert "time of day: the old logs are from 1 day earlier" in found.words
    assert (found.shift, found.first) == (DAY, -5)
    assert "7 days later" in align(NEW.moved(7 * DAY), NEW).words


def test_other_times_are_cut_into_equally_many_parts() -> None:
    found = align(Span(NINE - DAY - 6 * HOUR, NINE - DAY - 3 * HOUR), NEW)
    assert "from the start" in found.words
    assert (found.shift, found.first, found.old.number) == (None, 0, found.new.number)
    assert abs(found.old.step * found.old.number - 3 * HOUR) < 1e-3


def test_times_that_nobody_told_are_never_compared() -> None:
    assert "tell no times" in align(NEW, NEW, dated=False).words


def test_long_logs_get_longer_windows_and_short_ones_shorter() -> None:
    day = align(Span(NINE, NINE + DAY), Span(NINE, NINE + DAY))
    assert day.new.number <= MOST_WINDOWS + 1
    assert day.new.step * day.new.number > DAY
    assert align(Span(NINE, NINE + 12), Span(NINE, NINE + 12)).new.step == 2.0
    assert align(Span(NINE, NINE), Span(NINE, NINE)).new.number == 1


def test_the_old_side_before_the_new_one_is_its_history() -> None:
    alignment = align(Span(NINE - 600, NINE + 595), Span(NINE, NINE + 595))
    found = arrange(windows(120, "web-1", "old"), windows(60, "web-2", "new"), alignment, "new")
    assert len(found.before) == len(found.known) == 60
    assert found.before[-1].ends == NINE
    assert all(set(window.hosts) == {"web-1", "web-2"} for window in found.during)


def test_without_a_before_each_fourth_window_is_history_and_is_not_compared_again() -> None:
    alignment = align(Span(NINE, NINE + 595), Span(NINE, NINE + 595))
    found = arrange(windows(60, "web-1", "old"), windows(60, "web-2", "new"), alignment, "new")
    beside = sum("web-1" in window.hosts for window in found.during)
    assert (len(found.before), beside) == (60 // EVERY, 60 - 60 // EVERY)
    assert all("web-2" in window.hosts for window in found.during)
    assert [window.ends for window in found.before] == sorted(window.ends for window in found.before)
    assert found.before[-1].ends <= NINE


def test_no_window_of_the_old_side_is_lost_or_taken_twice() -> None:
    spans = (Span(NINE - 50, NINE + 695), Span(NINE, NINE + 595))
    old = [replace(one, ends=one.ends - 50) for one in windows(75, "web-1", "old")]
    found = arrange(old, windows(60, "web-2", "new"), align(*spans), "new")
    assert len(found.before) + sum("web-1" in window.hosts for window in found.during) == 75


def test_a_host_without_requests_makes_time_the_measure_and_load_is_told_by_common_records() -> None:
    alignment = align(Span(NINE, NINE + 595), Span(NINE, NINE + 595))
    busy = windows(60, "web-2", "new", requests=0, errors=3)
    found = arrange(windows(60, "web-1", "old"), busy, alignment, "new")
    assert found.load == 3.0
    assert {seen.requests for window in found.during for seen in window.hosts.values()} == {0}
    assert {seen.seconds for window in found.before for seen in window.hosts.values()} == {10.0 / 3.0}
    assert {window.hosts["web-2"].seconds for window in found.during} == {10.0}
