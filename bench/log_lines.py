"""Logs whose kinds are known: labelled sets in the layout of loghub_2k, and sets of the project's own making."""

from __future__ import annotations

import csv
import json
import lzma
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from noonday_shared.errors import BadInput

LINES = 2000


@dataclass(frozen=True, slots=True)
class LabelledLog:
    """`raw`: whole lines. `contents`: the same without their headers. `kinds`: what each truly is."""

    name: str
    raw: list[str]
    contents: list[str]
    kinds: list[str]


def read_folder(folder: Path) -> list[LabelledLog]:
    """Each `NAME/NAME_2k.log` with its `NAME_2k.log_structured.csv`, by name, in the folder or its `loghub_2k`."""
    folder = folder / "loghub_2k" if (folder / "loghub_2k").exists() else folder
    files = sorted(folder.glob("*/*_2k.log"))
    if not files:
        raise BadInput(
            f"{folder} holds no labelled logs.",
            rule="bench-data",
            next_action="name a folder with loghub_2k/ in it, or none, for lines of the project's own making",
        )
    return [_read(file.parent) for file in files]


def read_service_lines(folder: Path, *, traced: bool, most: int = 60_000) -> list[bytes]:
    """The records of a web application in the folder's `trainticket`, each as Spring Boot writes it, `traced`: with its
    trace's id; none there: []."""
    lines: list[bytes] = []
    for file in sorted((folder / "trainticket").glob("*.jsonl.xz")):
        with lzma.open(file, "rt", encoding="utf-8") as rows:
            for row in islice(rows, most - len(lines)):
                lines.append(_service_line(len(lines), traced, **json.loads(row)))
    return lines


def make_service_lines(count: int, *, traced: bool, seed: int = 7) -> list[bytes]:
    """Of the project's own making: 30 kinds of long lines with objects written out, as such applications log. Three
    quarters of their ids are of things that come again and again, as in the real ones."""
    rng = random.Random(seed)
    ids = [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(40)]
    lines = []
    for number in range(count):
        subject = _SUBJECTS[number % 10]
        one = rng.choice(ids) if rng.random() < 0.75 else str(uuid.UUID(int=rng.getrandbits(128)))
        things = ", ".join(_thing(rng, one) for _ in range(2))
        deed = f"{subject} {rng.randrange(99_999)} {_DEEDS[number % 3]} after {rng.randrange(999)} ms"
        message = f"c.s.{subject}.Service#{number % 30} [load][{deed}][result: {things}]"
        trace = f"{rng.getrandbits(128):032x}"
        lines.append(_service_line(number, traced, f"shop-{subject}", "INFO", trace, message))
    return lines


def _read(place: Path) -> LabelledLog:
    raw = (place / f"{place.name}_2k.log").read_text(encoding="utf-8", errors="replace").split("\n")
    structured = place / f"{place.name}_2k.log_structured.csv"
    with structured.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [line.rstrip("\r") for line in raw[: len(rows)]]
    return LabelledLog(place.name, lines, [row["Content"] for row in rows], [row["EventId"] for row in rows])


def make_logs(seed: int = 7) -> list[LabelledLog]:
    """Of the project's own making: an application's log in four forms, the same kinds of records in each."""
    return [_make(form, random.Random(seed)) for form in ("plain", "json", "logfmt", "syslog")]


def application_lines(count: int, seed: int = 7) -> Iterator[bytes]:
    """An application's log with request ids, and lines of its access log between, as one file has them."""
    rng = random.Random(seed)
    for number in range(count):
        if number % 5 == 0:
            yield _access(rng, number).encode()
        else:
            body, _ = _record(rng)
            # Lines of about 250 bytes, as applications write that say what they do.
            yield _plain(rng, number, f"{body} request_id={rng.getrandbits(128):032x} {_CONTEXT}").encode()


def distinct_lines(count: int, seed: int = 7) -> Iterator[bytes]:
    """No two of one kind: what a bug that logs its input leaves."""
    rng = random.Random(seed)
    letters = "ghijklmnopqrstuvwxyz"
    for number in range(count):
        words = " ".join("".join(rng.choices(letters, k=rng.randrange(2, 12))) for _ in range(12))
        level = _LEVELS[number % 10]
        yield f"2026-01-01 {_stamp(number)},{number % 1000:03d} {level} shop.rubbish: {words}".encode()


_CONTEXT = "host=web-1 region=north tenant=shop component=checkout build=stable worker=main queue=default zone=a"
_SUBJECTS = ("order", "payment", "basket", "user", "invoice", "parcel", "session", "coupon", "stock", "mail")
_DEEDS = ("created", "paid", "refused", "expired", "loaded", "sent", "locked", "merged", "closed", "found")
_DETAILS = ("after {n} ms", "for customer {n}", "from {ip}", "with key {hex}", "in {n}.{n}s", "by {n} of {n}")
_LEVELS = ("INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "WARN", "DEBUG", "DEBUG", "ERROR")


def _record(rng: random.Random) -> tuple[str, str]:
    """A text and its kind; some kinds are much more common than others."""
    number = min(int(rng.paretovariate(0.6)) - 1, 99)
    subject, deed = _SUBJECTS[number % 10], _DEEDS[number // 10]
    detail = _DETAILS[number % len(_DETAILS)]
    numbers = {"n": rng.randrange(5000), "ip": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}:5432"}
    text = f"{subject} {rng.randrange(100_000)} {deed} {detail.format(**numbers, hex=f'{rng.getrandbits(64):016x}')}"
    return text, f"E{number}"


def _thing(rng: random.Random, one: str) -> str:
    return (
        f"Order(id={one}, number={rng.randrange(99_999)}, from=shanghai, to=nanjing, class=2, "
        f"price={rng.random() * 900:.2f}, bought=2026-01-01 12:{rng.randrange(60):02d}:00)"
    )


def _service_line(number: int, traced: bool, service: str, level: str, trace: str, message: str, **_: object) -> bytes:
    stamp = f"2026-01-01 {_stamp(number)}.{number % 1000:03d}"
    text = " ".join(message[:4000].split())
    header = f"[{service},{trace},{trace[:16]},true]" if traced else f"[{service}]"
    return f"{stamp} {level:>5} {header} 1 --- [exec-{number % 10}] {text}".encode()


def _make(form: str, rng: random.Random) -> LabelledLog:
    raw, contents, kinds = [], [], []
    for number in range(LINES):
        text, kind = _record(rng)
        raw.append(_FORMS[form](rng, number, text))
        contents.append(text)
        kinds.append(kind)
    return LabelledLog(form, raw, contents, kinds)


def _stamp(number: int) -> str:
    return f"{number // 60_000 % 24:02d}:{number // 1000 % 60:02d}:{number // 17 % 60:02d}"


def _level(text: str) -> str:
    return _LEVELS[_DEEDS.index(text.split()[2])]


def _plain(rng: random.Random, number: int, text: str) -> str:
    logger = f"shop.{text.split(maxsplit=1)[0]}"
    return f"2026-01-01 {_stamp(number)},{number % 1000:03d} [{rng.randrange(9999)}] {_level(text)} {logger}: {text}"


def _json(rng: random.Random, number: int, text: str) -> str:
    return (
        f'{{"time":"2026-01-01T{_stamp(number)}.{number % 1000:03d}Z","level":"{_level(text).lower()}",'
        f'"logger":"shop.{text.split(maxsplit=1)[0]}","pid":{rng.randrange(9999)},"msg":"{text}"}}'
    )


def _logfmt(rng: random.Random, number: int, text: str) -> str:
    logger = f"shop.{text.split(maxsplit=1)[0]}"
    return f'ts=2026-01-01T{_stamp(number)}Z level={_level(text).lower()} logger={logger} msg="{text}"'


def _syslog(rng: random.Random, number: int, text: str) -> str:
    return f"Jan  1 {_stamp(number)} web-{rng.randrange(9)} shop[{rng.randrange(9999)}]: {_level(text)} {text}"


def _access(rng: random.Random, number: int) -> str:
    return (
        f'10.0.0.{rng.randrange(256)} - - [01/Jan/2026:{_stamp(number)} +0000] "GET /orders/{number} HTTP/1.1" 200 '
        f'{rng.randrange(9999)} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36" 0.{rng.randrange(1000):03d}'
    )


_FORMS = {"plain": _plain, "json": _json, "logfmt": _logfmt, "syslog": _syslog}
