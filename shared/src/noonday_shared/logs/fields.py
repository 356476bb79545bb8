"""Log lines that name their parts: JSON objects and logfmt."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from noonday_shared.logs.access import ReadRequest
from noonday_shared.logs.field_requests import find_request
from noonday_shared.logs.levels import level_of_number, level_of_word

_LEVELS = (
    "level_name",
    "level",
    "severity",
    "levelname",
    "log.level",
    "lvl",
    "loglevel",
    "@level",
    "severity_text",
    "log_level",
)
_MESSAGES = ("message", "msg", "event", "@message", "text", "@m", "@mt", "body")
_LOGGERS = ("logger", "logger_name", "log.logger", "@logger", "name", "module", "SourceContext", "channel", "component")
_ERRORS = ("error", "err", "exception", "error.message", "exc", "cause", "reason")
_STACKS = (
    "stack_trace", "stacktrace", "stack", "exc_info", "exc_text", "traceback", "error.stack_trace", "error.stack",
    "exception.stacktrace", "@x", "trace", "errorVerbose",
)  # fmt: skip
_TYPES = ("type", "name", "class", "kind")
_PAIR = re.compile(r'([A-Za-z_@][\w.@-]{0,60})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))')
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": ""}
_MOST_FRAMES = 100
_PLACE = re.compile(r":\d+(?::\S*)?$")
_NUMBER = re.compile(r"\d{1,3}")


@dataclass(frozen=True, slots=True)
class Fields:
    """What a line's fields say of it. `by_number`: the level was a number, so digits matter in this line."""

    level: str
    logger: str
    message: str
    stack: str = ""
    by_number: bool = False
    request: ReadRequest | None = None


def read_json(line: str) -> Fields | None:
    """None when the line is no JSON object."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return _fields(found, find_request(found, logfmt=False))


def read_logfmt(line: str) -> Fields | None:
    """None when the line names neither a level nor a message nor a request."""
    pairs: dict[str, object] = {
        name: _ESCAPED.sub(_unescaped, quoted) if "\\" in quoted else quoted or plain
        for name, quoted, plain in _PAIR.findall(line)
    }
    request = find_request(pairs, logfmt=True)
    if request is None and not any(name in pairs for name in (*_LEVELS, *_MESSAGES)):
        return None
    return _fields(pairs, request)


def _fields(found: Mapping[str, object], request: ReadRequest | None) -> Fields:
    error = _first(found, _ERRORS)
    if error is None and isinstance(context := found.get("context"), Mapping):
        error = _first(context, _ERRORS)
    inner = error if isinstance(error, Mapping) else {}
    level, by_number = _level(found)
    message = " ".join(part for part in (_text(found, _MESSAGES), _error_text(error)) if part)
    stack = _text(found, _STACKS) or _text(inner, _STACKS) or _frames(inner)
    if not stack and isinstance(error, str) and "\n" in error:
        stack = error
    return Fields(level, _text(found, _LOGGERS), message, stack, by_number, request)


def _level(found: Mapping[str, object]) -> tuple[str, bool]:
    raw = _first(found, _LEVELS)
    if raw is None and isinstance(log := found.get("log"), Mapping):
        raw = log.get("level")
    if type(raw) is int or (isinstance(raw, str) and _NUMBER.fullmatch(raw)):
        return level_of_number(int(raw)), True
    return level_of_word(raw) if isinstance(raw, str) else "", False


def _error_text(error: object) -> str:
    """What an error field adds to the message: most loggers say there what went wrong."""
    if isinstance(error, Mapping):
        return ": ".join(part for part in (_text(error, _TYPES), _text(error, _MESSAGES)) if part)
    return error.partition("\n")[0].encode("utf-8", "replace").decode() if isinstance(error, str) else ""


def _frames(inner: Mapping[str, object]) -> str:
    """The text of a stack that came as a list, under what it belongs to."""
    stack = _first(inner, _STACKS)
    if not isinstance(stack, list):
        return ""
    place = _text(inner, ("file",))
    frames = [frame for frame in [place, *stack[:_MOST_FRAMES]] if isinstance(frame, str) and frame]
    if all(".php:" in frame for frame in frames):
        frames = [f"#{number} {_PLACE.sub('(1): ', frame)}" for number, frame in enumerate(frames)]
    return "\n".join([f"{_text(inner, _TYPES)} ({_text(inner, _MESSAGES)})", *frames])


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1], found[1])


def _first(found: Mapping[str, object], names: tuple[str, ...]) -> object:
    return next((found[name] for name in names if found.get(name) is not None), None)


def _text(found: Mapping[str, object], names: tuple[str, ...]) -> str:
    text = next((value for name in names if isinstance(value := found.get(name), str) and value), "")
    # JSON may name half of a surrogate pair, which is no text anywhere else.
    return text.encode("utf-8", "replace").decode()
