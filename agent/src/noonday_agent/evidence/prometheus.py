"""Prometheus' text format: the few series of it that somebody asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]{0,200}"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]{0,100})\s*=\s*"((?:[^"\\\n]|\\.){0,1000})"'
_SERIES = re.compile(rf"({_NAME})(?:\s*\{{((?:[^\"}}\n]|\"(?:[^\"\\\n]|\\.)*\")*)\}})?")
_LABELS = re.compile(_LABEL)
_ALL_LABELS = re.compile(rf"\s*(?:{_LABEL}\s*(?:,\s*|$))*")
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


@dataclass(frozen=True, slots=True)
class Series:
    """A name, and labels that it must carry among others."""

    name: str
    labels: Mapping[str, str]


def read_series_name(text: str) -> Series:
    """As in agent.toml: `name` or `name{label="value"}`. Raises `ValueError` with a sentence."""
    found = _SERIES.fullmatch(text.strip())
    if found is None or not _ALL_LABELS.fullmatch(found[2] or ""):
        raise ValueError(f'{text[:80]!r} is not a series; write it as in queue_depth or jobs_total{{queue="mail"}}')
    return Series(found[1], _labels(found[2] or ""))


def read_metrics(text: str, wanted: Iterable[str]) -> dict[str, float]:
    """The values of the `wanted` series, by the name they are wanted under. All that fit one are added up.

    A line that is not understood, and a value that is no finite number, count as absent.
    """
    asked = {name: read_series_name(name) for name in wanted}
    names = {series.name for series in asked.values()}
    values: dict[str, float] = {}
    for line in text.splitlines():
        found = _SERIES.match(line)
        if found is None or found[1] not in names:
            continue
        value = _value(line[found.end() :])
        if value is None:
            continue
        labels = _labels(found[2] or "")
        for name, series in asked.items():
            if series.name == found[1] and series.labels.items() <= labels.items():
                values[name] = values.get(name, 0.0) + value
    return {name: value for name, value in values.items() if isfinite(value)}


def _labels(text: str) -> dict[str, str]:
    return {name: re.sub(r"\\.", _unescaped, value) for name, value in _LABELS.findall(text)}


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0], found[0])


def _value(rest: str) -> float | None:
    words = rest.split()
    try:
        value = float(words[0]) if words and rest[:1].isspace() else None
    except ValueError:
        return None
    return value if value is not None and isfinite(value) else None
