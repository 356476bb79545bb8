from __future__ import annotations

from datetime import UTC, datetime

import pytest

from noonday_coordinator.replay.stamps import Frame, Stamps, offset_in

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
BERLIN = 3600


def instant(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def stamp(line: bytes, zone: int | None = 0) -> float | None:
    return Stamps(Frame(NOW, zone)).of(line)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"2026-01-02T03:04:05.250Z INFO shop", "2026-01-02T03:04:05.250"),
        (b"2026-01-02 03:04:05,250 - INFO shop", "2026-01-02T03:04:05.250"),
        (b"[2026-01-02 03:04:05 +0100] [12] [INFO] Booting", "2026-01-02T02:04:05"),
        (b"2026/01/02 03:04:05 [error] 12#12: *1 open() failed", "2026-01-02T03:04:05"),
        (b"INFO 2026-01-02 03:04:05,250 shop", "2026-01-02T03:04:05.250"),
        (b"web-1  | 2026-01-02 03:04:05 shop", "2026-01-02T03:04:05"),
        (b"20260102-03:04:05:250|Step|3", "2026-01-02T03:04:05.250"),
        (b'10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 12', "2026-01-02T03:04:05"),
        (b"[02-Jan-2026 03:04:05 UTC] PHP Warning: no", "2026-01-02T03:04:05"),
        (b"02-Jan-2026 03:04:05.250 INFO [main] org.apache", "2026-01-02T03:04:05.250"),
        (b"Jan  2 03:04:05 web-1 shop[12]: said", "2026-01-02T03:04:05"),
        (b"<13>Dec 31 03:04:05 web-1 shop: said", "2025-12-31T03:04:05"),
        (b"[Fri Jan 02 03:04:05.123 2026] [core:error] no", "2026-01-02T03:04:05.123"),
        (b"Jan 02, 2026 3:04:05 PM org.shop.Main", "2026-01-02T15:04:05"),
        (b"Jan 02, 2026 12:04:05 AM org.shop.Main", "2026-01-02T00:04:05"),
        (b"I0102 03:04:05.250000 12 shop.go:1] said", "2026-01-02T03:04:05.250"),
        (b"I, [2026-01-02T03:04:05.250 #12]  INFO -- : said", "2026-01-02T03:04:05.250"),
        (b"17/06/09 20:10:40 INFO executor", "2017-06-09T20:10:40"),
        (b"081109 203615 148 INFO dfs", "2008-11-09T20:36:15"),
        (b"01-02 03:04:05.250  1 2 I shop", "2026-01-02T03:04:05.250"),
        (b"1767323045 said", "2026-01-02T03:04:05"),
        (b"1767323045250 said", "2026-01-02T03:04:05.250"),
        (b'{"level":30,"time":1767323045250,"pid":1}', "2026-01-02T03:04:05.250"),
        (b'{"level":"info","ts":1767323045.25,"msg":"said"}', "2026-01-02T03:04:05.250"),
        (b'{"msg":"said","@timestamp":"2026-01-02T03:04:05Z"}', "2026-01-02T03:04:05"),
        (b'level=info ts=2026-01-02T03:04:05Z msg="said"', "2026-01-02T03:04:05"),
        (b'time="2026-01-02T03:04:05+02:00" level=info', "2026-01-02T01:04:05"),
        (b"03:04:05.250 [main] INFO shop", "2026-11-23T03:04:05.250"),
        (b"23:04:05 [main] INFO shop", "2026-11-22T23:04:05"),
    ],
)
def test_the_stamp_of_each_usual_log_is_read(line: bytes, told: str) -> None:
    found = stamp(line)
    assert found is not None
    assert found == pytest.approx(instant(told), abs=1e-6)


@pytest.mark.parametrize(
    "line", [b"", b"ERROR nothing at all", b"KeyError: 'x'", b"order 12345678901 stored", b"2026-13-45 99:00:00 said"]
)
def test_a_line_without_a_stamp_tells_no_time(line: bytes) -> None:
    assert stamp(line) is None


def test_a_line_without_a_stamp_takes_that_of_the_line_before() -> None:
    stamps = Stamps(Frame(NOW, 0))
    first = stamps.of(b"2026-01-02 03:04:05 ERROR failed")
    for line in (b"Traceback (most recent call last):", b'  File "2026-05-05 01:01:01.py", line 3', b"KeyError: 'x'"):
        assert stamps.of(line) == first


def test_dates_inside_messages_are_no_stamps_once_the_files_own_kind_is_known() -> None:
    stamps = Stamps(Frame(NOW, 0))
    for second in range(5):
        stamps.of(b"2026-01-02 03:04:%02d INFO said" % second)
    assert stamps.of(b"Mar  3 04:05:06 is when the offer ends") == instant("2026-01-02T03:04:04")


def test_one_line_far_ahead_is_not_believed_but_a_log_that_goes_on_there_is() -> None:
    stamps = Stamps(Frame(NOW, 0))
    start = stamps.of(b"2026-01-02 03:04:05 INFO said")
    assert stamps.of(b"2036-01-02 03:04:05 INFO the clock was wrong") == start
    assert stamps.of(b"2026-01-02 03:04:06 INFO said") == instant("2026-01-02T03:04:06")
    assert stamps.of(b"2026-01-05 08:00:00 INFO after the weekend") == instant("2026-01-02T03:04:06")
    assert stamps.of(b"2026-01-05 08:00:01 INFO said") == instant("2026-01-05T08:00:01")


def test_what_names_no_zone_is_in_the_given_one() -> None:
    assert stamp(b"2026-01-02 03:04:05 INFO said", BERLIN) == instant("2026-01-02T02:04:05")
    assert stamp(b"2026-01-02T03:04:05Z INFO said", BERLIN) == instant("2026-01-02T03:04:05")
    here = datetime(2026, 1, 2, 3, 4, 5).astimezone().timestamp()
    assert stamp(b"2026-01-02 03:04:05 INFO said", None) == here


def test_an_access_log_names_the_zone_of_its_server() -> None:
    assert offset_in(b'10.0.0.1 - - [02/Jan/2026:03:04:05 +0100] "GET / HTTP/1.1" 200 12') == BERLIN
    assert offset_in(b"2026-01-02T03:04:05+01:00 said") is None
