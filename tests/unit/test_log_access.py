"""Requests read from access logs."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noonday_shared.logs.access import is_request, read_request, read_requests

START = '10.0.0.1 - bob [01/Jan/2026:12:00:00 +0000] "GET /cart?id=5 HTTP/1.1"'
AGENT = '"https://shop.example/?time=7.5 x" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0"'
LINES: list[tuple[str, str, float | None]] = [
    (f"{START} 200 1234", "2xx", None),
    (f"{START} 200 -", "2xx", None),
    (f"{START} 301 0 {AGENT}", "3xx", None),
    (f"{START} 503 1234 {AGENT} 0.125", "5xx", 0.125),
    (f"{START} 404 1234 {AGENT} rt=0.125 uct=0.000", "4xx", 0.125),
    (f"{START} 404 1234 {AGENT} request_time=0.125", "4xx", 0.125),
    (f"{START} 200 1234 {AGENT} 4711", "2xx", None),
    (f"{START} 200 1234 {AGENT} 1500us", "2xx", 0.0015),
    ('INFO:     127.0.0.1:5000 - "GET / HTTP/1.1" 500 Internal Server Error', "5xx", None),
    ('[01/Jan/2026 12:00:00] "POST /pay HTTP/1.1" 302 0', "3xx", None),
    (
        '1.2.3.4 - - [01/Jan/2026:12:00:00 +0000] "GET /HTTP/1.1\\" 500 x HTTP/2.0" 200 5 "-" "HTTP/1.1 500"',
        "2xx",
        None,
    ),
]


@pytest.mark.parametrize(("line", "status", "seconds"), LINES)
def test_a_request_has_a_status_and_perhaps_a_duration(line: str, status: str, seconds: float | None) -> None:
    assert is_request(line.encode())
    request = read_request(line.encode())
    assert request is not None
    assert request.status == status
    assert request.seconds == (pytest.approx(seconds) if seconds is not None else None)


@pytest.mark.parametrize(
    "line",
    ['x - - [01/Jan/2026:12:00:00 +0000] "\\x16\\x03\\x01" 400 157', 'x - - [t] "-" 408 0', 'x - - [t] "GET /" 400 5'],
)
def test_a_damaged_request_counts_only_in_a_file_of_requests(line: str) -> None:
    assert read_request(line.encode()) is None
    request = read_request(line.encode(), surely=True)
    assert request is not None
    assert request.status == "4xx"


@pytest.mark.parametrize(
    "line", ["ERROR no HTTP/1.1 here", "", '"GET / HTTP/1.1" 999 0', '"GET / HTTP/1.1" 20000', "\0\xff"]
)
def test_other_lines_are_no_requests(line: str) -> None:
    assert read_request(line.encode("latin-1"), surely=True) is None


@pytest.mark.parametrize("first", range(len(LINES)))
def test_many_lines_are_read_as_each_alone_whatever_the_first_are(first: int) -> None:
    lines = [line.encode() for line, _, _ in (LINES[first:] + LINES[:first]) * 3]
    alone = [request for line in lines if (request := read_request(line)) is not None]
    found = read_requests([*lines, b"nothing"])
    assert found.statuses == Counter(request.status for request in alone)
    assert found.others == [b"nothing"]
    told = [request.seconds for request in alone if request.seconds is not None]
    # Where none of the first lines tells a duration, those of later ones are left alone.
    assert sorted(found.seconds) == pytest.approx(sorted(told)) or not any(
        LINES[(first + at) % len(LINES)][2] for at in range(8)
    )


@given(st.lists(st.text(alphabet='HTP/1.2" 05-[]GE\\rt=', max_size=60), max_size=12))
def test_any_lines_are_read_as_each_alone(lines: list[str]) -> None:
    raw = [START.encode() + b" 200 5 - 0.25", *(f'"GET / HTTP/1.1" 200 {line}'.encode() for line in lines)]
    raw += [line.encode() for line in lines]
    alone = [request for line in raw if (request := read_request(line, surely=True)) is not None]
    found = read_requests(raw, surely=True)
    assert found.statuses == Counter(request.status for request in alone)
    assert len(found.others) == len(raw) - len(alone)


@pytest.mark.parametrize("unit", ["HTTP/1.1", '"GET ', '" 200 ', "rt=", "1.1 ", "1", '"'])
def test_hostile_lines_take_linear_time(unit: str) -> None:
    line = START.encode() + b" 200 5 " + (unit * 60_000)[:60_000].encode()
    began = time.process_time()
    is_request(line)
    read_request(line, surely=True)
    read_request((unit * 60_000)[:60_000].encode(), surely=True)
    assert time.process_time() - began < 1.0
