"""Headers of log lines, as real programs write them."""

from __future__ import annotations

import pytest

from noonday_shared.logs.header import split
from noonday_shared.logs.shape import Shape

LINES = [
    # line, level, logger, body
    ("2026-01-01 12:00:00,123 ERROR shop.pay: card refused", "ERROR", "shop.pay", "card refused"),
    ("2026-01-01 12:00:00,123 - shop.pay - ERROR - card refused", "ERROR", "shop.pay", "card refused"),
    (
        "2026-01-01T12:00:00.123456Z INFO 4711 --- [  main] c.e.shop.Orders      : started",
        "INFO",
        "c.e.shop.Orders",
        "started",
    ),
    (
        "2026-01-01 12:00:00.123 | ERROR    | shop.pay:charge:42 - card refused",
        "ERROR",
        "shop.pay:charge:42",
        "card refused",
    ),
    ("[2026-01-01 12:00:00 +0000] [123] [ERROR] Worker (pid:9) exited", "ERROR", "", "Worker (pid:9) exited"),
    ("[2026-01-01 12:00:00,123: ERROR/MainProcess] Task shop.mail failed", "ERROR", "", "Task shop.mail failed"),
    ("[2026-01-01 12:00:00] production.ERROR: card refused {}", "ERROR", "", "card refused {}"),
    ("2026-01-01 12:00:00,123 - WARN  [Worker:5@774] - Send worker leaving", "WARN", "", "Send worker leaving"),
    ("12:00:00.123 [main] ERROR com.shop.Pay - card refused", "ERROR", "com.shop.Pay", "card refused"),
    ("[12:00:00 ERR] card refused", "ERROR", "", "card refused"),
    ("2026-01-01 12:00:00.123 +00:00 [FTL] cannot start", "FATAL", "", "cannot start"),
    ("ERROR:shop.pay:card refused", "ERROR", "shop.pay", "card refused"),
    ("ERROR: card refused", "ERROR", "", "card refused"),
    ("error: card refused", "ERROR", "", "card refused"),
    ("[error] card refused", "ERROR", "", "card refused"),
    ("2026/01/01 12:00:00 [error] 12#34: *1 open() failed", "ERROR", "", "open() failed"),
    ("2026/01/01 12:00:00 server started", "", "", "server started"),
    ("[Thu Jan 01 12:00:00.123456 2026] [core:error] [pid 7:tid 8] AH00128: no file", "ERROR", "", "AH00128: no file"),
    ("Jan  1 12:00:00 web-1 shop[123]: ERROR card refused", "ERROR", "shop", "card refused"),
    ("<11>Jan  1 12:00:00 web-1 shop[123]: card refused", "ERROR", "shop", "card refused"),
    ("Jan  1 12:00:00 web-1 sshd(pam_unix)[19939]: check pass", "", "sshd(pam_unix)", "check pass"),
    ("26/01/01 20:10:40 ERROR executor.Backend: lost", "ERROR", "executor.Backend", "lost"),
    ("E0102 15:04:05.123456   123 pay.go:12] card refused", "ERROR", "pay.go", "card refused"),
    ("E, [2026-01-01T12:00:00.123456 #1234] ERROR -- shop: card refused", "ERROR", "shop", "card refused"),
    ("ERRO[0012] card refused", "ERROR", "", "card refused"),
    (
        "01-Jan-2026 12:00:00.123 SEVERE [main] org.apache.Foo.bar card refused",
        "ERROR",
        "main",
        "org.apache.Foo.bar card refused",
    ),
    ("2026-01-01T12:00:00.000Z\tERROR\tpay/card.go:12\tcard refused", "ERROR", "", "pay/card.go:12\tcard refused"),
    ("2026-01-01 12:00:00.000 UTC [123] ERROR:  relation does not exist", "ERROR", "", "relation does not exist"),
    ("2026-01-01T12:00:00.000000Z 8 [ERROR] [MY-010] [Server] no space", "ERROR", "Server", "no space"),
    (
        "[01-Jan-2026 12:00:00 UTC] PHP Fatal error:  Uncaught Exception: x",
        "FATAL",
        "",
        "PHP Fatal error:  Uncaught Exception: x",
    ),
    (
        "panic: runtime error: index out of range [5] with length 3",
        "FATAL",
        "",
        "runtime error: index out of range [5] with length 3",
    ),
    ("java.lang.IllegalStateException: closed", "ERROR", "", "java.lang.IllegalStateException: closed"),
    ('{"level":"error","logger":"shop.pay","message":"card refused"}', "ERROR", "shop.pay", "card refused"),
    (
        '{"level":50,"time":1,"pid":2,"msg":"card refused","err":{"type":"Refused","message":"no money"}}',
        "ERROR",
        "",
        "card refused Refused: no money",
    ),
    ('{"severity":"CRITICAL","message":"down"}', "FATAL", "", "down"),
    ('{"log":{"level":"warn"},"message":"slow"}', "WARN", "", "slow"),
    (
        'time="2026-01-01T12:00:00Z" level=error msg="card \\"x\\" refused" component=pay',
        "ERROR",
        "pay",
        'card "x" refused',
    ),
    ("ts=1 level=warn msg=slow err=timeout", "WARN", "", "slow timeout"),
    ("Listening on port 8000", "", "", "Listening on port 8000"),
    ("Alert sent to 5 people", "", "", "Alert sent to 5 people"),
    ("2026-01-01 12:00:00 INFO shop: critical path took 5 ms", "INFO", "shop", "critical path took 5 ms"),
]


@pytest.mark.parametrize(("line", "level", "logger", "body"), LINES, ids=[line[0][:40] for line in LINES])
def test_a_line_is_split_into_level_logger_and_body(line: str, level: str, logger: str, body: str) -> None:
    found = split(line.encode())
    assert (found.level, found.logger, found.body.strip()) == (level, logger, body)


@pytest.mark.parametrize("line", [line[0] for line in LINES[:29]], ids=[line[0][:40] for line in LINES[:29]])
def test_a_line_with_a_header_begins_a_record(line: str) -> None:
    assert Shape().begins(line.encode())


@pytest.mark.parametrize(
    "line",
    [
        b'{"level": NaN, "message": "x"}',
        b'{"level": true, "message": "x"}',
        b'{"level": 1e999, "message": "x"}',
        b'{"level": "\\ud800", "message": "\\udfff half"}',
        b'{"message": ["not", "text"], "error": {"stack": 5}}',
        b'{"a":' * 3000,
        b"{" + b'"a":1' * 10,
        b"level=" + b"\xff" * 100,
        b'msg="never closed',
        b"<999999>x",
        b"",
        b"\0\1\2\xff\xfe",
    ],
)
def test_odd_input_is_read_as_something(line: bytes) -> None:
    found = split(line)
    found.body.encode()
    found.logger.encode()


def test_a_number_for_a_level_is_reported_since_digits_matter_then() -> None:
    assert split(b'{"level":30,"msg":"x"}').by_number
    assert not split(b'{"level":"info","msg":"x"}').by_number


def test_a_file_is_stamped_when_most_of_its_lines_have_a_header() -> None:
    shape = Shape()
    assert not shape.stamped
    for _ in range(10):
        shape.saw(1)
    assert shape.stamped
    for _ in range(50):
        shape.saw_other()
    assert not shape.stamped


def test_what_matched_last_is_tried_first_and_changes_nothing() -> None:
    shape = Shape()
    lines = [b"2026-01-01 12:00:00 INFO x", b'{"level":"info"}', b"level=info msg=x"]
    ends = [Shape().header_end(line) for line in lines]
    assert [shape.header_end(line) for line in lines * 3] == ends * 3
    assert shape.header_end(b"nothing of the kind") == 0


@pytest.mark.parametrize(
    ("line", "level", "logger", "body"),
    [
        (
            b"- 1117838570 2005.06.03 N-J12 2005-06-03-15.42.50.67 N-J12 RAS KERNEL INFO parity error corrected",
            "INFO",
            "RAS KERNEL",
            "parity error corrected",
        ),
        (
            b"- 1131566461 2005.11.09 dn2 Nov 9 12:01:01 dn2/dn2 crond(pam)[29]: session closed",
            "",
            "crond(pam)",
            "session closed",
        ),
        (b"web-1.log 2026-01-01 12:00:00.123 2931 ERROR shop.pay: refused", "ERROR", "shop.pay", "refused"),
        (b"01-31 12:00:00.123 1702 2395 W shop.pay: refused", "WARN", "shop.pay", "refused"),
        (b"2026-01-01 12:00:00 INFO shop.pay: retry 12:00:05", "INFO", "shop.pay", "retry 12:00:05"),
    ],
)
def test_a_header_may_hold_several_times_and_names_between_them(
    line: bytes, level: str, logger: str, body: str
) -> None:
    found = split(line)
    assert (found.level, found.logger, found.body) == (level, logger, body)
