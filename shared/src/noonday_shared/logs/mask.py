"""What varies in a log line, masked, so that lines that say the same look the same.

Every expression here is bounded or has no two ways to match the same text, so the time is linear in the length.
Masking twice gives what masking once gave.
"""

from __future__ import annotations

import re
from itertools import groupby

from noonday_shared.logs.redact import EMAIL
from noonday_shared.logs.request_ids import IN_TEXT, may_be_named

LONGEST = 2048
"""Characters of a body that count; the rest of it says nothing of what the line is."""
HOLE = "<*>"

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]+")
_RELEASE = re.compile(r"/releases/[^/\s:\"'<>]+")
_DOUBLE = re.compile(r'(?<![^\s=(:\[,{])"[^"]{25,}"(?=[\s,.;:)\]}]|$)')
_SINGLE = re.compile(r"(?<![^\s=(:\[,{])'[^'\"]{25,}'(?=[\s,.;:)\]}]|$)")
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_UNIT = r"(?:ns|us|µs|μs|ms|s|sec|min|m|h|d|[kKMGT]i?B|B|[kKMGT]|%)(?![A-Za-z])"
# Each alternative asks for a digit, and none is left afterwards: that is why masking twice changes nothing.
_VARIES = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z\b|[+-]\d\d:?\d\d)?"
    # uuid
    r"|(?=[a-fA-F-]{0,35}\d)[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])"
    r"|0[xX][0-9a-fA-F]+"
    # IPv6: at least three colons, and a digit, since words are made of a to f as well
    r"|(?=[a-fA-F:]{0,40}\d)(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?![0-9A-Za-z])"
    # hexadecimal of 8 and more
    r"|(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}(?![0-9A-Za-z])"
    # web tokens; then base64 over 20, told from a name by digits in two places and both cases
    r"|(?<![\w.-])(?=[\w.-]*\d)eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"
    r"|(?<![\w+/-])(?=[A-Za-z_+-]*\d+[A-Za-z_+-]+\d)(?=[0-9a-z_+-]*[A-Z])(?=[0-9A-Z_+-]*[a-z])[\w+/-]{21,}={0,2}"
    # dates with a month's name
    rf"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:\d{{1,2}}[ /-])?{_MONTH}[ /-]{{1,2}}\d{{1,4}}"
    # durations and sizes, whose unit goes with the number
    rf"|-?\d+(?:\.\d+)?{_UNIT}(?:\d+(?:\.\d+)?{_UNIT})*"
    # versions and builds, then plain numbers
    r"|v?\d+(?:\.\d+)+(?:[-+][0-9A-Za-z.]+)*"
    r"|-?\d+(?:[.,:]\d+)*"
    r")|\d+(?:[.,:]\d+)*",
    re.ASCII,
)
_AGAIN = re.compile(r"<\*>(?:[.,:x/-]?<\*>)+")
_DIGIT = re.compile(r"[0-9]")
_NUMBER = re.compile(r"[0-9]+(?:[.,:][0-9]+)*")
_MONTHS = _MONTH[3:].partition(")")[0].split("|")

FILLING = b"0123456789-.,:+ "
"""Bytes that no identity depends on: lines that differ in nothing else have the same one."""
_FILLING = FILLING + b"/\t\n"


def mask(body: str) -> str:
    """The body with `<*>` for what varies, at most `LONGEST` characters."""
    text = body[:LONGEST]
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if not text.isprintable() or "\ufffd" in text:
        text = _CONTROL.sub(" ", text)
    if "/releases/" in text:
        text = _RELEASE.sub("/current", text)
    if "@" in text:
        text = EMAIL.sub(HOLE, text)
    if may_be_named(text):
        text = IN_TEXT.sub(_without_id, text)
    text = _AGAIN.sub(HOLE, _without_varying(text))[:LONGEST]
    if '"' in text:
        text = _DOUBLE.sub(f'"{HOLE}"', text)
    if "'" in text:
        text = _SINGLE.sub(f"'{HOLE}'", text)
    return text.strip()


def _without_varying(text: str) -> str:
    """What `_VARIES` leaves. It is slow, so it sees only words with digits, those that stand side by side together: of
    what it matches, nothing but a date with a month's name goes over a word that has none."""
    if _DIGIT.search(text) is None:
        return text
    if any(month in text for month in _MONTHS):
        return _VARIES.sub(HOLE, text)
    parts = []
    for varies, words in groupby(text.split(" "), _has_digit):
        part = " ".join(words)
        parts.append((HOLE if _NUMBER.fullmatch(part) else _VARIES.sub(HOLE, part)) if varies else part)
    return " ".join(parts)


def _has_digit(word: str) -> bool:
    return not word.isalpha() and _DIGIT.search(word) is not None


def _without_id(found: re.Match[str]) -> str:
    return f"{found[1] or found[2]}{HOLE}"


def identity(masked: str) -> bytes:
    """What of a masked text decides its key. The places of the holes don't: so the first of several lines that differ
    only in digits and the marks between them can stand for all of them, on every host."""
    return masked.replace(HOLE, "").encode().translate(None, _FILLING)
