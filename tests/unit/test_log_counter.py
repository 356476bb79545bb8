"""Signatures, counts, samples and recent lines: bounded, redacted, the same on every host."""

from __future__ import annotations

import itertools
import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noonday_agent.evidence.lines import MOST_BYTES, MOST_LINES, RecentLines
from noonday_shared.envelope import LARGEST, seal
from noonday_shared.keys import SigningKey
from noonday_shared.logs.counter import MOST_SIGNATURES, ReleaseCounter
from noonday_shared.logs.redact import GONE, Redactor
from noonday_shared.logs.signature import Kind, Signer
from noonday_shared.logs.sizes import cut, wire_size
from noonday_shared.messages import Evidence

STAMP = b"2026-01-01 12:00:00,123 "
INFO = STAMP + b"INFO shop.web: GET /"
ERROR = STAMP + b"ERROR shop.pay: order 4711 refused"
WARN = STAMP + b"WARN shop.pay: slow"
TRACE = (
    STAMP
    + b"""INFO shop.web: x
Traceback (most recent call last):
  File "/app/shop/pay.py", line 12, in charge
ValueError: order 4711"""
)
ACCESS = b'1.2.3.4 - - [01/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" %d 5 "-" "x" 0.250'


def counted(records: list[bytes], now: float = 100.0) -> Evidence:
    counter = ReleaseCounter("web", "1.0.0-abcdef12", 3, 50.0, Redactor())
    counter.count(records, Signer().sign, now)
    return counter.to_evidence(host="web-1", boot=2, seq=1, now=now)


def test_only_errors_and_traces_get_a_signature() -> None:
    found = counted([INFO, ERROR, WARN, TRACE, ERROR])
    assert found.records == 5
    assert [(one.level, one.count) for one in found.signatures] == [("ERROR", 2), ("INFO", 1)]
    assert found.signatures[0].text == "order <*> refused"
    assert found.signatures[1].text == "ValueError in app/shop/pay.py charge"


def test_requests_are_counted_apart_from_records() -> None:
    found = counted([ACCESS % 200, INFO, ACCESS % 200, ACCESS % 503])
    assert (found.records, found.requests, found.statuses) == (1, 3, {"2xx": 2, "5xx": 1})
    assert found.gauges == {"timed_requests": 3.0, "request_seconds": 0.75}


def test_evidence_says_what_it_is_of() -> None:
    found = counted([])
    assert (found.app, found.release, found.epoch, found.since, found.sent_at) == ("web", "1.0.0-abcdef12", 3, 50, 100)


def test_a_signature_keeps_when_it_was_seen_and_three_samples() -> None:
    counter = ReleaseCounter("web", "", 0, 0.0, Redactor())
    sign = Signer().sign
    for at in range(10):
        counter.count([ERROR.replace(b"4711", b"%d" % at)], sign, float(at))
    (one,) = counter.to_evidence(host="web-1", boot=0, seq=0, now=9.0).signatures
    assert (one.count, one.first_seen, one.last_seen) == (10, 0.0, 9.0)
    assert [sample[-9:] for sample in one.samples] == ["0 refused", "1 refused", "2 refused"]


def test_samples_and_texts_are_redacted() -> None:
    (one,) = counted([STAMP + b"ERROR shop: login of bob@example.org with password=hunter2 failed"]).signatures
    assert "hunter2" not in str(one)
    assert "bob" not in str(one)
    assert GONE in one.samples[0]


def test_a_long_trace_is_sampled_at_both_ends() -> None:
    middle = b"".join(b'  File "/app/a%d.py", line 1, in f\n' % n for n in range(200))
    (one,) = counted(
        [STAMP + b"ERROR x\nTraceback (most recent call last):\n" + middle + b"ValueError: the end"]
    ).signatures
    assert one.samples[0].startswith(STAMP.decode())
    assert one.samples[0].endswith("ValueError: the end")


def words(count: int) -> list[bytes]:
    letters = itertools.product(b"ghijklmnop", repeat=4)
    return [bytes(word) for word in itertools.islice(letters, count)]


def test_too_many_signatures_are_counted_as_overflow() -> None:
    found = counted([STAMP + b"ERROR x: " + word for word in words(MOST_SIGNATURES + 70)])
    assert (len(found.signatures), found.overflow) == (MOST_SIGNATURES, 70)


@pytest.mark.parametrize("filling", [b'"', b"\xff", b"\x01"])
def test_the_largest_evidence_fits_into_an_envelope(filling: bytes) -> None:
    counter = ReleaseCounter("web", "", 0, 0.0, Redactor())
    lines = RecentLines(Redactor())
    sign = Signer().sign
    for word in words(MOST_SIGNATURES + 5):
        records = [STAMP + b"ERROR x: " + word + b" %d " % n + filling * 5000 for n in range(3)]
        counter.count(records, sign, 1.0)
        lines.add(records, 1.0, "1.0.0-abcdef12")
    found = counter.to_evidence(host="web-1", boot=0, seq=0, now=2.0, lines=lines.take())
    assert len(seal("evidence", found, SigningKey.new())) < LARGEST
    assert all(len(one.samples) >= 1 for one in found.signatures)


def test_lines_that_differ_only_in_numbers_and_ids_have_one_key_whichever_comes_first() -> None:
    lines = [
        STAMP + b"ERROR shop: id %s of %d" % (token, n) for n, token in enumerate([b"7", b"3f2a9b1c77", b"12345678"])
    ]
    forward, backward = Signer(), Signer()
    keys = [forward.sign(line).key for line in lines]
    assert keys == [backward.sign(line).key for line in reversed(lines)][::-1]
    assert len(set(keys)) == 1


def test_a_level_in_digits_is_not_lost_in_the_cache() -> None:
    signer = Signer()
    for _ in range(2):
        assert signer.sign(b'{"level":30,"time":1767268800123,"msg":"order paid"}').kind is Kind.PLAIN
        assert signer.sign(b'{"level":50,"time":1767268800124,"msg":"order paid"}').level == "ERROR"
        assert signer.sign(b"<14>Jan  1 12:00:00 web shop: x").kind is Kind.PLAIN
        assert signer.sign(b"<11>Jan  1 12:00:00 web shop: x").level == "ERROR"


def test_ids_of_requests_do_not_drive_the_known_lines_out_of_the_cache() -> None:
    signer = Signer()
    for number in range(500):
        signer.sign(STAMP + b"INFO shop: request %s paid" % str(uuid.UUID(int=number << 64 | 0xABCDEF << 16)).encode())
        signer.sign(ACCESS.replace(b"GET /", b"GET /" + b"%x" % number * 3) % 200)
    assert len(signer._young) < 5


def test_another_level_or_logger_is_another_key() -> None:
    signer = Signer()
    keys = {
        signer.sign(STAMP + line).key
        for line in (b"ERROR a.b: refused", b"CRITICAL a.b: refused", b"ERROR a.c: refused")
    }
    assert len(keys) == 3


def test_the_cache_is_bounded_and_forgets_nothing_that_matters() -> None:
    signer = Signer(most=50)
    first = signer.sign(ERROR)
    for word in words(1000):
        signer.sign(STAMP + b"ERROR x: " + word)
    assert len(signer._young) <= 50
    assert len(signer._old) <= 50
    assert signer.sign(ERROR) == first


@settings(deadline=None, max_examples=80)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_counted_as_something(records: list[bytes]) -> None:
    counted([b"ERROR: " + record for record in records] + records)


def test_thousands_of_distinct_lines_stay_bounded() -> None:
    signer = Signer()
    began = time.process_time()
    for word in words(10_000):
        signer.sign(STAMP + b"ERROR x: " + word * 10)
    assert time.process_time() - began < 10.0
    assert len(signer._young) + len(signer._old) <= 20_000


def test_recent_lines_drop_the_oldest_and_are_redacted_when_taken() -> None:
    lines = RecentLines(Redactor(["secret-\\d+"]))
    lines.add([b"line %d secret-7" % n for n in range(MOST_LINES + 100)], 5.0, "1.0.0-abcdef12")
    taken = lines.take()
    assert len(taken) == MOST_LINES
    assert (taken[0].text, taken[-1].text) == (f"line 100 {GONE}", f"line {MOST_LINES + 99} {GONE}")
    assert (taken[0].at, taken[0].release) == (5.0, "1.0.0-abcdef12")
    assert lines.take() == ()


def test_recent_lines_are_bounded_in_bytes() -> None:
    lines = RecentLines(Redactor())
    lines.add([b"y" * 60_000] * 400, 5.0, "")
    taken = lines.take()
    assert taken
    assert sum(wire_size(line.text) for line in taken) <= MOST_BYTES
    assert max(len(line.text) for line in taken) == 4096


@given(st.text(max_size=300), st.integers(min_value=0, max_value=400))
def test_a_cut_text_is_as_small_as_asked(text: str, most: int) -> None:
    assert wire_size(cut(text, most, 100)) <= most
    assert text.startswith(cut(text, most, 100))
