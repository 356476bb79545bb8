"""Stack traces of Python, Java, Node, PHP, Go, Ruby and .NET: the exception's type and the app's own top frames.

Line numbers are left out: they move with every release. So are the message, which varies, and the frames of libraries,
unless there are no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from noonday_shared.logs.mask import mask

TOP = 3
"""Frames that make a trace's identity."""


@dataclass(frozen=True, slots=True)
class Trace:
    """`kind`: empty when the trace does not name it. `frames`: innermost first, each as 'shop/orders.py checkout'."""

    kind: str
    frames: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} in {' < '.join(self.frames)}" if self.frames else self.kind


@dataclass(frozen=True, slots=True)
class _Frame:
    place: str
    own: bool


_PYTHON = re.compile(r'^[ \t|]{0,24}File "([^"\n]{1,400})", line \d+(?:, in ([^\n]{1,200}))?', re.MULTILINE)
_PYTHON_END = re.compile(r"^(?:[ \t]{0,24}\| )?([A-Za-z_][\w.]{0,200})(?=: |:?[ \t]{0,9}$)", re.MULTILINE)
_PYTHON_LIBRARY = re.compile(r"/(?:site|dist)-packages/|/lib/python\d|^<frozen|<string>")

_AT = re.compile(
    r"^[ \t]{0,24}at (?:async |new )?"
    r"(?:([^\s(]{1,300})(?: \[as [^\]\n]{1,100}\])? ?\(([^)\n]{0,400})\)|(\S{1,400}:\d+)$)",
    re.MULTILINE,
)
_JAVA_HEAD = re.compile(
    r"(?:^|(?<= )|(?<=\"))(?:Caused by: )?((?:[a-z_][\w$]{0,60}\.){1,12}[A-Z][\w$]{0,120})(?=: |[ \t]{0,9}$)",
    re.MULTILINE,
)
_JAVA_LIBRARY = re.compile(
    r"^(?:java|javax|jdk|sun|com\.sun|jakarta|kotlin|kotlinx|scala|groovy|org\.springframework|org\.apache|org\.eclipse"
    r"|org\.hibernate|io\.netty|io\.undertow|reactor|com\.zaxxer|org\.jboss|io\.micronaut|io\.quarkus|io\.vertx|akka"
    r"|com\.fasterxml|com\.google|System|Microsoft)\."
)
_JAVA_MADE = re.compile(r"\$\$[\w$]*|\$?Proxy\d+|Accessor\d+|/0x[0-9a-f]+|\$\d+|^[\w.@-]*//?(?=\w+\.)")
_NODE_HEAD = re.compile(
    r"(?:^|(?<= ))((?:[A-Z]\w{0,80})?(?:Error|Exception)|[A-Z]\w{0,80}Error)(?: \[[\w-]+\])?(?=: |[ \t]{0,9}$)", re.M
)
_NODE_LIBRARY = re.compile(r"node_modules|^node:|^internal/|^native\b|<anonymous>")

_PHP = re.compile(r"^#\d+ (?:([^\n(]{1,400})\(\d+\): |\[internal function\]: )([^\n(]{0,200})", re.MULTILINE)
_PHP_HEAD = re.compile(
    r"Uncaught (?:exception ')?([A-Z][\w\\]{0,160})"
    r"|\b([A-Z][\w\\]{0,160}(?:Exception|Error)\b)|^([A-Z][\w\\]{0,160}) \(",
    re.MULTILINE,
)
_PHP_PLACE = re.compile(r" in (/[^\s:]{1,400}?)(?::\d+| on line \d+|\(\d+\))")

_GO = re.compile(r"^([^\s]{1,300})(?:\([^()\n]{0,200}\))?\n[ \t]{1,9}([^\s:]{1,400}\.(?:go|s)):\d+", re.MULTILINE)
_GO_HEAD = re.compile(r"(?:panic|fatal error): ([^\n]{1,200})|panic serving [^\s]{1,80}: ([^\n]{1,200})")
_GO_LIBRARY = re.compile(r"/go/src/|/pkg/mod/|/libexec/src/|/go\d[\d.]*/src/|^runtime/|/vendor/")

_RUBY = re.compile(
    r"(?:^[ \t]{0,24}(?:\[[^\]\n]{1,80}\] )?(?:\d{1,5}: )?(?:from )?|(?<=: ))"
    r"([^\s:]{1,400}\.(?:rb|erb|haml|slim|ru|rake)):\d+:in [`']([^'\n]{1,200})'",
    re.MULTILINE,
)
_RUBY_NAME = r"([A-Z]\w{0,80}(?:::[A-Z]\w{0,80}){0,6})"
_RUBY_HEAD = re.compile(rf"\({_RUBY_NAME}\)[ \t]{{0,9}}$|^(?:\S+ )?(?!Traceback ){_RUBY_NAME} \(", re.MULTILINE)
_RUBY_LIBRARY = re.compile(r"/gems/|/ruby/\d|^<internal|/rubygems/")
_RUBY_BLOCK = re.compile(r"(?:block (?:\(\d+ levels\) )?in |rescue in |ensure in )+")


def find_trace(record: str) -> Trace | None:
    """The trace in a record of several lines, or None. Takes time linear in the record's length."""
    for marks, read in _READERS:
        if any(mark in record for mark in marks) and (trace := read(record)) is not None:
            return trace
    return None


def _python(record: str) -> Trace | None:
    # Of a chain, the last block is what went up.
    block = record[max(record.rfind("Traceback (most recent call last)"), 0) :]
    found = list(_PYTHON.finditer(block))
    if not found:
        return None
    end = _PYTHON_END.search(block, found[-1].end())
    frames = [
        _Frame(f"{_short(one[1])} {one[2] or ''}".strip(), not _PYTHON_LIBRARY.search(one[1]))
        for one in reversed(found)
    ]
    return _trace(end[1] if end else "", frames)


def _at_lines(record: str) -> Trace | None:
    """Java and Node both write `at`: a place with a slash or a colon in it is Node's."""
    cause = record.rfind("Caused by: ")
    block = record[max(cause, 0) :]
    found = list(_AT.finditer(block))
    if not found:
        return None
    java = all(one[2] is not None and ("/" not in one[2] or ".java" in one[2]) for one in found[:3])
    head = block[: found[0].start()]
    frames = [_java_frame(one) if java else _node_frame(one) for one in found]
    kinds = (_JAVA_HEAD if java else _NODE_HEAD).findall(head)
    if java and not any(frame.own for frame in frames):
        frames += [_java_frame(one) for one in _AT.finditer(record)]
    return _trace(kinds[-1] if kinds else _last_word(head), frames)


def _java_frame(found: re.Match[str]) -> _Frame:
    name = _JAVA_MADE.sub("", found[1] or found[3])
    return _Frame(name, not _JAVA_LIBRARY.match(name))


def _node_frame(found: re.Match[str]) -> _Frame:
    place = (found[3] or found[2] or found[1]).removeprefix("file://")
    own = not _NODE_LIBRARY.search(place)
    name = found[1] or ""
    return _Frame(f"{_short(re.sub(r'(?::[0-9]+){1,2}$', '', place))} {name}".strip(), own)


def _php(record: str) -> Trace | None:
    # Of a chain, the first is the cause.
    found = list(_PHP.finditer(record, 0, record.find("\nNext ") if "\nNext " in record else len(record)))
    if not found:
        return None
    frames = [
        _Frame(f"{_short(one[1] or '')} {one[2]}".strip(), "/vendor/" not in (one[1] or "/vendor/")) for one in found
    ]
    if place := _PHP_PLACE.search(record, 0, found[0].start()):
        frames.insert(0, _Frame(_short(place[1]), "/vendor/" not in place[1]))
    kind = _PHP_HEAD.search(record, 0, found[0].start())
    return _trace(kind[1] or kind[2] or kind[3] if kind else "", frames)


def _go(record: str) -> Trace | None:
    block = record[max(record.rfind("\npanic("), 0) :]
    # The first goroutine is the one that failed; how many others there are varies.
    parts = re.split(r"^goroutine ", block, maxsplit=2, flags=re.MULTILINE)
    found = list(_GO.finditer("".join(parts[:2])))
    if not found:
        return None
    head = _GO_HEAD.search(record)
    frames = [
        _Frame(f"{_short(one[2])} {_go_name(one[1])}", not _GO_LIBRARY.search(one[2]))
        for one in found
        if _go_name(one[1]) != "panic"
    ]
    return _trace(f"panic: {mask(head[1] or head[2])}" if head else "", frames)


def _go_name(found: str) -> str:
    """Without what was passed, which is not always told, and without the module's path."""
    name = found[: found.rindex("(")] if found.endswith(")") else found
    return name.rpartition("/")[2]


def _ruby(record: str) -> Trace | None:
    found = list(_RUBY.finditer(record))
    if not found:
        return None
    head = _RUBY_HEAD.search(record)
    frames = [
        _Frame(f"{_short(one[1])} {_RUBY_BLOCK.sub('', one[2])}", not _RUBY_LIBRARY.search(one[1])) for one in found
    ]
    if record.find("Traceback (most recent call last):") >= 0:
        frames.reverse()
    return _trace((head[1] or head[2]) if head else "", frames)


def _trace(kind: str, frames: list[_Frame]) -> Trace:
    own = [frame.place for frame in frames if frame.own] or [frame.place for frame in frames]
    return Trace(kind, tuple(mask(place) for place in _once(own))[:TOP])


def _once(places: list[str]) -> Iterator[str]:
    """Recursion says the same place again and again, and how often varies."""
    seen: set[str] = set()
    for place in places:
        if place not in seen and len(seen) < TOP:
            seen.add(place)
            yield place


def _short(path: str) -> str:
    """The last three parts of a path inside the release, which lies in another folder each time."""
    inside = mask(path).rpartition("/current/")[2]
    return "/".join(inside.strip("/").split("/")[-3:])


def _last_word(head: str) -> str:
    words = mask(head.rstrip().rpartition("\n")[2]).partition(":")[0].split()
    return words[-1] if words else ""


_READERS: tuple[tuple[tuple[str, ...], Callable[[str], Trace | None]], ...] = (
    (('File "',), _python),
    (("goroutine ", "panic: ", ".go:"), _go),
    (("#0 ",), _php),
    ((".rb:", ".erb:", ".ru:", ".rake:", ".haml:", ".slim:"), _ruby),
    (("at ",), _at_lines),
)
