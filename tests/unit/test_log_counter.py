"""Signatures, counts, samples and recent lines: bounded, redacted, the same on every host."""

from __future__ import annotations

import itertools
import math
import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noonday_agent.evidence.lines import MOST_BYTES, MOST_LINES, RecentLines
from noonday_shared.envelope import LARGEST, seal
from noonday_shared.keys import SigningKey
from noonday_shared.logs.counter import Process, ReleaseCounter
from noonday_shared.logs.redact import GONE, Redactor
from noonday_shared.logs.request_ids import RequestIds
from noonday_shared.logs.signature import Signer
from noonday_shared.logs.sizes import cut, wire_size
from noonday_shared.logs.telling import AGAIN_SERIOUS, MOST_COUNTS, MOST_TEMPLATES
from noonday_shared.messages import Evidence, LogLine
from noonday_shared.messages.evidence import IDENTITY_VERSION
from noonday_shared.messages.latency import BUCKETS, bucket

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


def counter(**extra: int) -> ReleaseCounter:
    return ReleaseCounter("web", "1.0.0-abcdef12", 3, 50.0, Redactor(), **extra)


def told(of: ReleaseCounter, now: float = 100.0, lines: tuple[LogLine, ...] = ()) -> Evidence:
    return of.to_evidence(host="web-1", boot=2, seq=1, now=now, lines=lines)


def counted(records: list[bytes], now: float = 100.0) -> Evidence:
    made = counter()
    made.count(records, Signer(), now)
    return told(made, now)


def by_text(found: Evidence) -> dict[str, tuple[int, int]]:
    return {one.text: found.counts[one.key] for one in found.templates}


def test_every_kind_of_record_is_counted_with_its_level() -> None:
    found = counted([INFO, ERROR, WARN, TRACE, ERROR])
    assert found.records == 5
    assert {(one.level, one.text) for one in found.templates} == {
        ("INFO", "GET /"),
        ("ERROR", "order <*> refused"),
        ("WARN", "slow"),
        ("ERROR", "ValueError in app/shop/pay.py charge"),
    }
    assert by_text(found)["order <*> refused"] == (2, 1)


def test_requests_are_counted_apart_from_records() -> None:
    found = counted([ACCESS % 200, INFO, ACCESS % 200, ACCESS % 503])
    assert (found.records, found.requests, found.statuses) == (1, 3, {"2xx": 2, "5xx": 1})
    assert len(found.latency) == BUCKETS
    assert found.latency[bucket(0.25)] == sum(found.latency) == 3


FIELD_REQUESTS = [
    (b'{"level":"%s","msg":"handled","method":"GET","path":"/cart/%d","status":503,"duration_ms":250.0}', 0.25),
    (b'{"level":"%s","msg":"handled","http.request.method":"GET","n":%d,"http.response.status_code":503,'
     b'"event.duration":250000000}', 0.25),
    (b'{"level":"%s","req":{"method":"GET","url":"/cart/%d"},"res":{"statusCode":503},"responseTime":250,'
     b'"msg":"handled"}', 0.25),
    (b'{"level":"%s","msg":"handled","request":"GET /%d HTTP/1.1","status":"503","request_time":"0.250"}', 0.25),
    (b'{"severity":"%s","message":"handled","httpRequest":{"requestUrl":"/%d","status":503,"latency":"0.25s"}}', 0.25),
    (b'ts=2026-01-01T12:00:00Z level=%s msg=handled method=GET path=/cart/%d status=503 duration=250ms', 0.25),
    (b'ts=2026-01-01T12:00:00Z level=%s msg=handled method=GET path="/cart/%d" status=503 latency=0.25', 0.25),
    (b'{"level":"%s","msg":"handled","method":"GET","uri":"/cart/%d","status":503,"took":"soon"}', None),
]  # fmt: skip


@pytest.mark.parametrize("level", [b"info", b"error"])
@pytest.mark.parametrize(("line", "seconds"), FIELD_REQUESTS)
def test_a_request_told_by_fields_is_a_request_and_a_record(line: bytes, seconds: float | None, level: bytes) -> None:
    found = counted([line % (level, number) for number in range(5)])
    assert (found.requests, found.statuses, found.records) == (5, {"5xx": 5}, 5)
    assert {(one.level, one.text) for one in found.templates} == {(level.decode().upper(), "handled")}
    assert sum(found.latency) == (0 if seconds is None else 5)
    assert seconds is None or found.latency[bucket(seconds)] == 5


@pytest.mark.parametrize(
    "line",
    [
        b'{"level":"info","msg":"x","method":"card","status":"ok"}',
        b'{"level":"info","msg":"job ended","status":200}',
        b'{"level":"info","msg":"x","method":"GET","path":"/","status":2000}',
        b"level=info msg=x status=200",
    ],
)
def test_fields_without_a_status_or_a_place_tell_of_no_request(line: bytes) -> None:
    assert counted([line]).requests == 0


def test_the_agents_own_questions_are_no_requests() -> None:
    probe = b'{"level":"info","msg":"x","method":"GET","path":"/","status":200,"agent":"noonday-agent/1"}'
    found = counted([probe, (ACCESS % 200).replace(b'"x"', b'"noonday-agent/1"'), ACCESS % 200])
    assert (found.requests, found.records) == (1, 1)


def test_a_request_with_a_serious_level_before_it_is_a_record_as_well() -> None:
    found = counted([STAMP + b'ERROR web: "POST /pay HTTP/1.1" 500 card refused', ACCESS % 200])
    assert (found.records, found.statuses) == (1, {"5xx": 1, "2xx": 1})
    assert [(one.level, one.logger) for one in found.templates] == [("ERROR", "web")]


def test_fields_that_are_no_part_of_what_happened_make_no_kinds_and_fill_no_cache() -> None:
    signer, made = Signer(), counter()
    made.count([b'{"level":"info","msg":"handled","user":"%s"}' % word for word in words(500)], signer, 1.0)
    assert [one.text for one in told(made).templates] == ["handled"]


def test_a_log_without_durations_has_no_histogram() -> None:
    assert counted([(ACCESS % 200).rpartition(b" ")[0]]).latency == ()


def test_evidence_says_what_it_is_of() -> None:
    found = counted([])
    assert (found.app, found.release, found.epoch, found.since, found.sent_at) == ("web", "1.0.0-abcdef12", 3, 50, 100)
    assert found.identity_version == IDENTITY_VERSION


def test_what_the_agent_sees_beside_the_logs_is_told_and_what_is_no_number_is_not() -> None:
    process = Process(started_at=7.0, restarts=2, balancer={"requests": 5}, gauges={"fds": 3.0, "odd": math.nan})
    found = counter().to_evidence(host="web-1", boot=0, seq=0, now=1.0, process=process)
    assert (found.started_at, found.restarts, found.balancer, found.gauges) == (7.0, 2, {"requests": 5}, {"fds": 3.0})


def test_without_ids_an_episode_is_a_second_that_has_a_record() -> None:
    made, signer = counter(), Signer()
    for now in (10.1, 10.9, 11.2, 15.0):
        made.count([ERROR, ERROR], signer, now)
    assert by_text(told(made)) == {"order <*> refused": (8, 3)}


REQUEST_LINES = [
    b"%sERROR shop.pay: order refused request_id=%s",
    b"%sERROR shop.pay: order refused [req-%s -]",
    b"%sERROR shop.pay: order refused X-Request-Id: %s",
    b'{"time":"%s","level":"error","msg":"order refused","trace_id":"%s"}',
    b'{"time":"%s","level":"error","msg":"order refused","trace": "%s", "n": 1}',
    b'time="%s" level=error msg="order refused" requestId=%s',
]
TRACED_LINES = [
    STAMP + b" INFO [shop,%032x,%016x,true] 1 --- [exec-1] c.s.Pay : order refused",
    STAMP + b" INFO 1 --- [shop] [exec-1] [%032x-%016x] c.s.Pay : order refused",
]


@pytest.mark.parametrize("line", REQUEST_LINES)
def test_an_episode_is_a_request_where_records_carry_its_id(line: bytes) -> None:
    made, signer, ids = counter(), Signer(), RequestIds()
    for batch in range(4):
        # Each request is met twice, and again in the next batch.
        numbers = [number // 2 + 50 * batch for number in range(200)]
        records = [line % (STAMP, b"k3x%dzz%d" % (number, number)) for number in numbers]
        made.count(records, signer, 100.0 + batch, ids)
    found = told(made)
    assert [found.counts[one.key] for one in found.templates] == [(800, 250)]


@pytest.mark.parametrize("line", TRACED_LINES)
def test_an_episode_is_a_trace_that_stands_in_the_header_without_a_name(line: bytes) -> None:
    made, signer, ids = counter(), Signer(), RequestIds()
    traces = [uuid.UUID(int=number // 2 << 64 | 0xABCDEF << 32).int for number in range(200)]
    made.count([line % (trace, span) for span, trace in enumerate(traces)], signer, 100.0, ids)
    assert by_text(told(made)) == {"order refused": (200, 100)}


def test_records_without_an_id_among_others_count_by_seconds() -> None:
    made, signer, ids = counter(), Signer(), RequestIds()
    records = [ERROR + b" request_id=ab%d" % (1000 + number) for number in range(20)]
    made.count([*records, ERROR, ERROR], signer, 1.0, ids)
    made.count([ERROR], signer, 2.0, ids)
    assert sorted(by_text(told(made)).values()) == [(3, 2), (20, 20)]


def test_a_template_says_whether_its_episodes_are_seconds() -> None:
    made, signer, ids = counter(), Signer(), RequestIds()
    lines = [STAMP + b"INFO shop: order %d refused trace=%032x" % (number, number) for number in range(9)]
    made.count([*lines, ERROR], signer, 1.0, ids)
    assert {one.level: one.by_second for one in told(made).templates} == {"INFO": False, "ERROR": True}


def test_an_id_makes_no_kind_of_its_own_also_before_it_was_learned() -> None:
    found = counted([ERROR + b" trace=q%dwert%dy" % (number, number) for number in range(9)])
    assert by_text(found) == {"order <*> refused trace=<*>": (9, 1)}


def test_a_template_is_told_when_it_is_new_and_its_counts_when_they_change() -> None:
    made, signer = counter(), Signer()
    made.count([WARN], signer, 1.0)
    (warn,) = told(made).templates
    made.count([INFO], signer, 2.0)
    second = told(made)
    assert "GET /" in {one.text for one in second.templates}
    made.count([INFO], signer, 3.0)
    third = told(made)
    assert {one.text: one for one in second.templates}["GET /"].key in third.counts
    assert warn.first_seen == 1.0


def test_what_does_not_change_is_told_again_in_turn_and_a_message_stays_small() -> None:
    made, signer = counter(), Signer()
    made.count([STAMP + b"INFO x: %s is here" % word for word in words(300)], signer, 1.0)
    everything = told(made)
    assert len(everything.counts) == len(everything.templates) == 300
    again: set[str] = set()
    anew: set[str] = set()
    for at in range(300):
        made.count([INFO], signer, 2.0 + at)
        found = told(made)
        assert len(seal("evidence", found, SigningKey.new())) < 10_000
        again |= found.counts.keys()
        anew |= {one.key for one in found.templates}
    assert len(again) == 301
    assert len(anew) == 301


def test_serious_templates_go_first_and_none_is_lost() -> None:
    made, signer = counter(), Signer()
    some = words(2 * MOST_TEMPLATES)
    made.count([STAMP + b"INFO x: %s is here" % word for word in some], signer, 1.0)
    made.count([STAMP + b"ERROR x: %s is gone" % word for word in some[:10]], signer, 1.0)
    first = told(made)
    assert len(first.templates) == MOST_TEMPLATES
    assert {one.level for one in first.templates[:10]} == {"ERROR"}
    assert first.counts.keys() <= {one.key for one in first.templates}
    seen = {one.key for one in first.templates}
    for _ in range(3):
        seen |= {one.key for one in told(made).templates}
    assert len(seen) == len(some) + 10


def test_a_serious_template_keeps_three_samples_and_another_one() -> None:
    made, signer = counter(), Signer()
    for at in range(10):
        made.count([ERROR.replace(b"4711", b"%d" % at), INFO], signer, float(at))
    error, info = sorted(told(made).templates, key=lambda one: one.level)
    assert [sample[-9:] for sample in error.samples] == ["0 refused", "1 refused", "2 refused"]
    assert (error.first_seen, len(info.samples)) == (0.0, 1)


def test_a_template_is_told_again_when_it_got_another_sample() -> None:
    made, signer = counter(), Signer()
    made.count([ERROR], signer, 1.0)
    told(made)
    made.count([ERROR], signer, 2.0)
    (one,) = told(made).templates
    assert len(one.samples) == 2


def test_a_new_template_is_told_in_several_messages_in_a_row_since_any_may_be_lost() -> None:
    made, signer = counter(), Signer()
    made.count([STAMP + b"INFO x: %s is here" % word for word in words(300)], signer, 1.0)
    told(made)
    made.count([ERROR, WARN], signer, 2.0)
    levels = [[one.level for one in told(made).templates if one.level != "INFO"] for _ in range(9)]
    assert levels == [["ERROR", "WARN"]] * (1 + AGAIN_SERIOUS) + [[]] * (8 - AGAIN_SERIOUS)


def test_where_messages_are_full_one_of_the_worst_new_templates_is_told_again_all_the_same() -> None:
    made, signer = counter(), Signer()
    many = [STAMP + b"INFO x: %s is here" % word for word in words(250)]
    made.count([*many, ERROR, ERROR.replace(b"shop.pay", b"shop.buy")], signer, 1.0)
    told(made)
    found = []
    for _ in range(2 * AGAIN_SERIOUS):
        made.count(many, signer, 2.0)
        found.append(told(made))
    assert [[one.level for one in each.templates] for each in found] == [["ERROR"]] * (2 * AGAIN_SERIOUS)
    assert {one.logger for each in found for one in each.templates} == {"shop.pay", "shop.buy"}


def test_samples_and_texts_are_redacted() -> None:
    (one,) = counted([STAMP + b"ERROR shop: login of bob@example.org with password=hunter2 failed"]).templates
    assert "hunter2" not in str(one)
    assert "bob" not in str(one)
    assert GONE in one.samples[0]


def test_a_long_trace_is_sampled_at_both_ends() -> None:
    middle = b"".join(b'  File "/app/a%d.py", line 1, in f\n' % n for n in range(200))
    (one,) = counted(
        [STAMP + b"ERROR x\nTraceback (most recent call last):\n" + middle + b"ValueError: the end"]
    ).templates
    assert one.samples[0].startswith(STAMP.decode())
    assert one.samples[0].endswith("ValueError: the end")


def words(count: int) -> list[bytes]:
    letters = itertools.product(b"ghijklmnop", repeat=5)
    return [bytes(word) for word in itertools.islice(letters, count)]


def test_what_was_not_seen_for_longest_makes_room_and_is_counted_by_level() -> None:
    made, signer = counter(most_keys=100), Signer()
    made.count([WARN], signer, 1.0)
    told(made)
    for word in words(150):
        made.count([STAMP + b"INFO x: " + word, ERROR], signer, 2.0)
    found = told(made)
    assert found.overflow == {"INFO": 51}
    assert found.records == 301
    assert (150, 1) in found.counts.values()


def test_a_flood_of_distinct_lines_is_counted_by_level_and_told_in_bounded_messages() -> None:
    made, signer = counter(most_keys=5000), Signer()
    some = words(9000)
    largest = 0
    for at in range(0, len(some), 1000):
        part = some[at : at + 1000]
        made.count([STAMP + b"ERROR x: " + word * 9 for word in part[:300]], signer, float(at))
        made.count([STAMP + b"INFO x: " + word * 9 for word in part[300:]], signer, float(at))
        found = told(made)
        assert len(found.counts) <= MOST_COUNTS
        largest = max(largest, len(seal("evidence", found, SigningKey.new())))
    assert largest < LARGEST // 2
    assert len(made._book.seen) == 5000
    assert found.records == 9000
    # Those that made room were either told under their key, or are overflow.
    assert 0 < found.overflow["INFO"] < 4000
    assert "ERROR" not in found.overflow


def test_a_kind_that_made_room_counts_from_zero_when_it_comes_back() -> None:
    made, signer = counter(most_keys=2), Signer()
    made.count([WARN, WARN], signer, 1.0)
    told(made)
    made.count([INFO], signer, 2.0)
    made.count([ERROR], signer, 3.0)
    made.count([WARN], signer, 4.0)
    assert by_text(told(made))["slow"] == (1, 1)


@pytest.mark.parametrize("filling", [b'"', b"\xff", b"\x01", "€".encode()])
def test_the_largest_evidence_fits_into_an_envelope(filling: bytes) -> None:
    made, lines, signer = counter(), RecentLines(Redactor()), Signer()
    for word in words(400):
        made.count([STAMP + b"ERROR x: " + word + b" %d " % n + filling * 900 for n in range(3)], signer, 1.0)
    largest = 0
    for at in range(12):
        made.count([STAMP + b"ERROR x: " + word for word in words(4000)], signer, 2.0 + at)
        lines.add([filling * 5000] * 300, ["a" * 16] * 300, 1.0, "1.0.0-abcdef12")
        found = told(made, lines=lines.take())
        largest = max(largest, len(seal("evidence", found, SigningKey.new())))
    assert largest < LARGEST


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
        assert signer.sign(b'{"level":30,"time":1767268800123,"msg":"order paid"}').level == "INFO"
        assert signer.sign(b'{"level":50,"time":1767268800124,"msg":"order paid"}').level == "ERROR"
        assert signer.sign(b"<14>Jan  1 12:00:00 web shop: x").level == "INFO"
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
    assert signer.sign(ERROR).key == first.key


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
    some = [b"line %d secret-7" % n for n in range(MOST_LINES + 100)]
    lines.add(some, ["k"] * len(some), 5.0, "1.0.0-abcdef12")
    taken = lines.take()
    assert len(taken) == MOST_LINES
    assert (taken[0].text, taken[-1].text) == (f"line 100 {GONE}", f"line {MOST_LINES + 99} {GONE}")
    assert (taken[0].at, taken[0].release, taken[0].key) == (5.0, "1.0.0-abcdef12", "k")
    assert lines.take() == ()


def test_recent_lines_are_bounded_in_bytes() -> None:
    lines = RecentLines(Redactor())
    lines.add([b"y" * 60_000] * 400, [""] * 400, 5.0, "")
    taken = lines.take()
    assert taken
    assert sum(wire_size(line.text) for line in taken) <= MOST_BYTES
    assert max(len(line.text) for line in taken) == 4096


def test_a_record_is_shown_line_by_line_each_with_the_records_key() -> None:
    lines = RecentLines(Redactor())
    lines.add([TRACE, INFO], ["trace", "info"], 5.0, "")
    taken = lines.take()
    assert [line.key for line in taken] == ["trace"] * 4 + ["info"]
    assert "\n".join(line.text for line in taken[:4]) == TRACE.decode()


@given(st.text(max_size=300), st.integers(min_value=0, max_value=400))
def test_a_cut_text_is_as_small_as_asked(text: str, most: int) -> None:
    assert wire_size(cut(text, most, 100)) <= most
    assert text.startswith(cut(text, most, 100))
