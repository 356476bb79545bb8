"""What no log should hold, and logs do: followed, folded and counted by the agent's own collector on real files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from noonday_agent.config import LogFile
from noonday_agent.evidence.collector import Collector
from noonday_shared.messages import Evidence
from support.fake_clock import FakeClock

LINE = b"2026-01-01 12:00:00,123 ERROR shop.pay: order 4711 refused\n"
DAY = 86_400.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that any user may enter, for the tests that take permissions away."""
    made = Path(tempfile.mkdtemp(prefix="noonday-log-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def collector(folder: Path, clock: FakeClock) -> Collector:
    state = folder / "state"
    state.mkdir(exist_ok=True)
    made = Collector("web", [LogFile(path=folder / "logs/app.log")], [r"customer [A-Z]\d+"], state, clock)
    made.begin("1.0.0-aaaaaaaa", 1)
    return made


def append(folder: Path, data: bytes) -> None:
    log = folder / "logs/app.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as file:
        file.write(data)


def told(made: Collector, clock: FakeClock) -> Evidence:
    """What is told once the last record is whole."""
    while made.pump(clock.now()):
        pass
    clock.move(2.0)
    made.pump(clock.now())
    return made.evidence(host="web-1", boot=1, seq=1, now=clock.now(), watching=True)


def errors(found: Evidence) -> int:
    keys = [one.key for one in found.templates if one.text == "order <*> refused"]
    return sum(found.counts[key][0] for key in keys)


def test_a_hundred_megabytes_without_a_newline_take_bounded_memory_and_are_told(folder: Path, clock: FakeClock) -> None:
    made = collector(folder, clock)
    append(folder, LINE)
    made.pump(clock.now())
    with (folder / "logs/app.log").open("ab") as file:
        for _ in range(100):
            file.write(b"x" * (1 << 20))
    tracemalloc.start()
    rounds = 1
    while made.pump(clock.now()):
        rounds += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    append(folder, b"\n" + LINE)
    found = told(made, clock)
    assert peak < 8 << 20
    assert rounds < 50
    assert found.dropped > 99 << 20
    assert errors(found) == 2


RUBBISH = {
    "binary": os.urandom(200_000),
    "nul": b"\0" * 100_000,
    "invalid utf-8": b"ERROR shop: caf\xe9 \xff\xfe\xc3 closed\n" * 50,
    "half a surrogate": rb'{"level":"error","msg":"\ud800 half"}' * 5,
    "deep json": b'{"a":' * 5000 + b"\n",
    "other line ends": b"ERROR a\r\nERROR b\rERROR c\x0b\x0cd\n",
    "escape codes": b"\x1b[31m\x1b]0;title\x07ERROR\x1b[0m x\n" * 20,
    "very many fields": b"{" + b",".join(b'"k%d":1' % n for n in range(5000)) + b"}\n",
    "an access line cut short": b'1.2.3.4 - - [01/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 2\n',
    "a status that is none": b'{"method":"GET","path":"/","status":1e400,"duration_ms":NaN}\n',
}


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_hides_no_line_around_it_and_what_is_told_is_text(name: str, folder: Path, clock: FakeClock) -> None:
    made = collector(folder, clock)
    append(folder, LINE + RUBBISH[name] + b"\n" + LINE)
    found = told(made, clock)
    assert errors(found) == 2
    assert Evidence.model_validate_json(found.model_dump_json()) == found
    assert json.loads(found.model_dump_json())["records"] == found.records >= 2
    assert all(ord(char) >= 32 or char in "\t\n" for one in found.templates for char in one.text + "".join(one.samples))


def test_a_log_is_truncated_while_it_is_read_and_what_comes_after_counts(folder: Path, clock: FakeClock) -> None:
    made = collector(folder, clock)
    append(folder, LINE * 100)
    assert errors(told(made, clock)) == 100
    append(folder, LINE * 100_000)
    made.pump(clock.now())
    os.truncate(folder / "logs/app.log", 0)
    append(folder, LINE * 7)
    before = made.evidence(host="web-1", boot=1, seq=2, now=clock.now(), watching=False).records
    assert told(made, clock).records in (before + 7, before + 8)


def test_a_log_is_rotated_away_while_it_is_read_and_nothing_is_lost(folder: Path, clock: FakeClock) -> None:
    made = collector(folder, clock)
    append(folder, LINE * 100_000)
    assert made.pump(clock.now())
    log = folder / "logs/app.log"
    with log.open("ab") as held:
        log.rename(log.with_name("app.log.1"))
        append(folder, LINE * 7)
        while made.pump(clock.now()):
            pass
        held.write(LINE * 5)
    assert told(made, clock).records == 100_012


def test_permission_lost_is_said_and_nothing_is_lost_when_it_comes_back(folder: Path, clock: FakeClock) -> None:
    made = collector(folder, clock)
    append(folder, LINE)
    assert errors(told(made, clock)) == 1
    log = folder / "logs/app.log"
    log.rename(log.with_name("app.log.1"))
    append(folder, LINE * 3)
    was = os.geteuid()
    log.parent.chmod(0o700)
    if was == 0:
        os.seteuid(65534)
    try:
        if was != 0:
            log.parent.chmod(0)
        made.pump(clock.now())
        assert "Permission denied" in made.troubles[0]
    finally:
        os.seteuid(was)
        log.parent.chmod(0o755)
    assert errors(told(made, clock)) == 4
    assert made.troubles == []


@pytest.mark.parametrize("jump", [-400 * DAY, -1.0, 400 * DAY])
def test_a_clock_that_jumps_loses_no_record_and_no_second(jump: float, folder: Path, clock: FakeClock) -> None:
    made = collector(folder, clock)
    for step in range(6):
        append(folder, LINE)
        made.pump(clock.now() + (jump if step >= 3 else 0.0))
        clock.move(2.0)
    found = told(made, clock)
    assert list(found.counts.values()) == [(6, 6)]


def test_requests_are_not_counted_twice_when_the_clock_jumps_back(folder: Path, clock: FakeClock) -> None:
    made = collector(folder, clock)
    lines = b"".join(LINE[:-1] + b" request_id=ab%d\n" % (1000 + number) for number in range(50))
    append(folder, lines)
    made.pump(clock.now())
    append(folder, lines)
    made.pump(clock.now() - DAY)
    found = told(made, clock)
    assert list(found.counts.values()) == [(100, 50)]


def test_what_the_host_calls_secret_leaves_it_in_no_form(folder: Path, clock: FakeClock) -> None:
    made = collector(folder, clock)
    append(folder, LINE.replace(b"order 4711", b"customer Q17"))
    append(folder, b"2026-01-01 12:00:00,123 ERROR shop: customer Q18\n  at customer Q19\n")
    append(folder, b'{"level":"error","logger":"customer Q20","msg":"x","stack":"panic: customer Q21\\n"}\n')
    append(folder, b"ERROR shop: key AKIAIOSFODNN7EXAMPLE of bob@example.org, password=hunter2x\n")
    append(folder, b"panic: customer Q22\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:7 +0x1d\n")
    found = told(made, clock)
    said = found.model_dump_json()
    assert found.records == len(found.templates) == 5
    assert "[redacted]" in said
    assert not [secret for secret in ("customer", "AKIA", "IOSFODNN", "bob", "hunter") if secret in said]
