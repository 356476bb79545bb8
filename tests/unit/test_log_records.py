"""Lines folded into records, and the identity of stack traces, in six languages."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noonday_shared.logs.records import FLUSH_AFTER, MOST_LINES, Folder
from noonday_shared.logs.shape import Shape
from noonday_shared.logs.traces import find_trace

PYTHON = """2026-01-01 12:00:00,123 ERROR shop.web: request failed
Traceback (most recent call last):
  File "/srv/web/releases/1.2.0-ab12cd34/lib/python3.11/site-packages/flask/app.py", line 1484, in dispatch
    rv = self.dispatch_request()
  File "/srv/web/releases/1.2.0-ab12cd34/shop/web.py", line 31, in checkout
    return charge(order)
  File "/srv/web/releases/1.2.0-ab12cd34/shop/pay.py", line 12, in charge
    raise CardRefused(order.id)
shop.pay.CardRefused: order 4711"""

CHAINED = """2026-01-01 12:00:00,123 ERROR shop.web: request failed
Traceback (most recent call last):
  File "/app/shop/db.py", line 5, in get
    return rows[key]
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/shop/web.py", line 9, in show
    get(key)
RuntimeError: no such item"""

JAVA = """2026-01-01 12:00:00.123 ERROR [http-nio-8080-exec-1] c.shop.Web - request failed
java.lang.RuntimeException: wrapped
\tat com.shop.Web.handle(Web.java:31)
\tat org.springframework.web.Servlet.service(Servlet.java:897)
Caused by: com.shop.CardRefused: order 4711
\tat com.shop.Pay.charge(Pay.java:12)
\tat com.shop.Pay$$EnhancerBySpringCGLIB$$1a2b3c4d.charge(<generated>)
\tat com.shop.Web.handle(Web.java:29)
\t... 12 more"""

NODE = """TypeError: Cannot read properties of undefined (reading 'price')
    at total (/srv/web/current/src/cart.js:12:19)
    at /srv/web/current/src/server.js:40:5
    at Layer.handle (/srv/web/current/node_modules/express/lib/router/layer.js:95:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"""

PHP = """[01-Jan-2026 12:00:00 UTC] PHP Fatal error:  Uncaught App\\CardRefused: order 7 in /srv/web/src/Pay.php:12
Stack trace:
#0 /srv/web/current/src/Web.php(31): App\\Pay->charge(4711)
#1 /srv/web/current/vendor/slim/App.php(99): App\\Web->handle(Object(Request))
#2 {main}
  thrown in /srv/web/current/src/Pay.php on line 12"""

GO = """panic: runtime error: index out of range [5] with length 3

goroutine 17 [running]:
main.(*Cart).Total(0xc000112000, 0x5)
\t/src/shop/cart.go:12 +0x1d
main.handle({0x1a2b3c, 0xc000112000}, 0xc0001)
\t/src/shop/main.go:40 +0x99
net/http.HandlerFunc.ServeHTTP(0x7)
\t/usr/local/go/src/net/http/server.go:2136 +0x29
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3086 +0x5cb
exit status 2"""

RUBY = """/srv/web/current/app/pay.rb:12:in `charge': order 4711 (Shop::CardRefused)
\tfrom /srv/web/current/app/web.rb:31:in `block in checkout'
\tfrom /usr/lib/ruby/gems/3.2.0/gems/rack-3.0/lib/rack/handler.rb:7:in `call'"""

TRACES = {
    "python": (PYTHON, "shop.pay.CardRefused in shop/pay.py charge < shop/web.py checkout"),
    "python chained": (CHAINED, "RuntimeError in app/shop/web.py show"),
    "java": (JAVA, "com.shop.CardRefused in com.shop.Pay.charge < com.shop.Web.handle"),
    "node": (NODE, "TypeError in src/cart.js total < src/server.js"),
    "php": (PHP, "App\\CardRefused in web/src/Pay.php < src/Web.php App\\Pay->charge"),
    "go": (
        GO,
        "panic: runtime error: index out of range [<*>] with length <*> "
        "in src/shop/cart.go main.(*Cart).Total < src/shop/main.go main.handle",
    ),
    "ruby": (RUBY, "Shop::CardRefused in app/pay.rb charge < app/web.rb checkout"),
}
BEFORE = "2026-01-01 12:00:00,001 INFO shop.web: GET /"
AFTER = "2026-01-01 12:00:01,001 INFO shop.web: GET /"


def fold(text: str) -> list[str]:
    folder = Folder(Shape())
    records = folder.feed(text.encode().split(b"\n"), 0.0) + folder.end()
    return [record.decode() for record in records]


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_one_record(name: str) -> None:
    trace = TRACES[name][0]
    # A trace without a header of its own is told from the lines around it by nothing but a pause.
    headless = name in ("node", "go", "ruby")
    before = [] if headless else [BEFORE]
    assert fold("\n".join([*before, trace, AFTER])) == [*before, trace, AFTER]


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_its_exception_and_own_frames(name: str) -> None:
    record, expected = TRACES[name]
    assert str(find_trace(record)) == expected


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_without_any_header_in_its_file_is_one_record(name: str) -> None:
    trace = "\n".join(line for line in TRACES[name][0].split("\n") if not line.startswith(("2026", "[01-")))
    assert fold(f"{trace}\nListening again") == [trace, "Listening again"]


def test_the_same_trace_of_another_release_has_the_same_identity() -> None:
    moved = PYTHON.replace("1.2.0-ab12cd34", "2.0.0-beta.1-99999999").replace("line 12,", "line 93,")
    assert find_trace(moved) == find_trace(PYTHON)


def test_a_trace_only_of_library_frames_still_has_frames() -> None:
    trace = find_trace("x\njava.lang.OutOfMemoryError: heap\n\tat java.util.Arrays.copyOf(Arrays.java:3512)")
    assert str(trace) == "java.lang.OutOfMemoryError in java.util.Arrays.copyOf"


def test_a_sentence_that_begins_with_at_is_no_trace() -> None:
    assert find_trace("INFO loaded\nat startup the cart was empty (as always)") is None
    assert find_trace("INFO loaded\n  at noon") is None


def test_indented_lines_belong_to_the_line_before_them() -> None:
    assert fold("first\n  more\n\tstill\nsecond") == ["first\n  more\n\tstill", "second"]


def test_a_line_without_a_header_goes_on_a_record_only_in_a_file_of_headers() -> None:
    assert fold("\n".join([*[BEFORE] * 4, "SELECT 1", "FROM x", AFTER])) == [
        *[BEFORE] * 3,
        f"{BEFORE}\nSELECT 1\nFROM x",
        AFTER,
    ]
    assert fold("one\ntwo\nthree") == ["one", "two", "three"]


def test_two_tracebacks_in_a_row_are_two_records() -> None:
    block = "\n".join(PYTHON.split("\n")[1:])
    assert fold(f"{block}\n{block}") == [block, block]


def test_json_lines_are_records_each() -> None:
    lines = ['{"level":"info","msg":"a"}', '{"level":"error","msg":"b"}']
    assert fold("\n".join(lines)) == lines


def test_a_beginning_that_is_remembered_begins_only_what_has_a_header() -> None:
    folder = Folder(Shape())
    header = b"2026-01-01 12:00:00,001 INFO shop.web: "
    lines = [header + b"GET /%d" % number for number in range(20)]
    assert folder.feed(lines, 0.0) == lines[:-1]
    other = [b"2026-01-01 and no time", b"2026-01-01 12:00", header + b"last"]
    assert folder.feed(other, 0.0) + folder.end() == [b"\n".join([lines[-1], *other[:2]]), other[2]]


def test_a_record_waits_for_more_lines_until_it_is_flushed() -> None:
    folder = Folder(Shape())
    assert folder.feed([BEFORE.encode()], 100.0) == []
    assert folder.flush(100.0 + FLUSH_AFTER / 2) == []
    assert folder.flush(100.0 + FLUSH_AFTER) == [BEFORE.encode()]
    assert folder.flush(200.0) == []


def test_lines_of_one_record_may_come_in_two_feeds() -> None:
    folder = Folder(Shape())
    lines = PYTHON.encode().split(b"\n")
    assert folder.feed(lines[:4], 0.0) + folder.feed(lines[4:], 0.5) + folder.end() == [PYTHON.encode()]


def test_a_record_is_bounded_and_keeps_both_ends() -> None:
    folder = Folder(Shape())
    lines = [b"2026-01-01 12:00:00 ERROR deep", *[b"  frame %d" % n + b"x" * 5000 for n in range(900)], b"  last"]
    (record,) = folder.feed(lines, 0.0) + folder.end()
    assert len(record) < 300_000
    assert record.startswith(lines[0])
    assert record.endswith(lines[-1])
    assert folder.dropped > 900 * 4000


def test_a_record_never_grows_for_ever() -> None:
    folder = Folder(Shape())
    records = folder.feed([b"first", *[b" more"] * (3 * MOST_LINES)], 0.0)
    assert len(records) >= 2


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=80).map(lambda line: line.replace(b"\n", b"")), max_size=60))
def test_no_line_that_is_not_blank_is_lost(lines: list[bytes]) -> None:
    folder = Folder(Shape())
    records = folder.feed(lines, 0.0) + folder.end()
    kept = [line.rstrip() for record in records for line in record.split(b"\n") if line.strip()]
    assert kept == [line.rstrip() for line in lines if line.strip()]


@pytest.mark.parametrize(
    "line",
    [b"a." * 30_000, b"main." * 10_000, b"(" * 60_000, b"at " * 20_000, b"}" * 60_000, b"A" * 60_000, b"x/" * 30_000],
)
def test_hostile_lines_take_linear_time(line: bytes) -> None:
    folder = Folder(Shape())
    began = time.process_time()
    records = folder.feed([b"panic: x", line, b"  at " + line, line + b")", b"\t" + line], 0.0) + folder.end()
    for record in records:
        find_trace(record.decode("utf-8", "replace"))
    assert time.process_time() - began < 2.0
