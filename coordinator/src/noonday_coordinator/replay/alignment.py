"""Which time of the old release's logs is laid beside which time of the new one's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from noonday_coordinator.replay.stamps import DAY
from noonday_coordinator.verdict.window import WINDOW

MOST_WINDOWS = 180
"""Of the new side: half an hour of ten seconds each, and longer windows for longer logs."""
_LEAST_WINDOWS = 6
_ENOUGH = 0.5
"""Of the new side's time that the old one must cover."""


class Span(NamedTuple):
    """Instants of the first and the last line, in seconds since the epoch."""

    begin: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.begin

    def moved(self, by: float) -> Span:
        return Span(self.begin + by, self.end + by)

    def share_of(self, other: Span) -> float:
        """How much of the other this one covers."""
        if other.length <= 0:
            return float(self.begin <= other.begin <= self.end)
        return max(min(self.end, other.end) - max(self.begin, other.begin), 0.0) / other.length


@dataclass(frozen=True, slots=True)
class Slices:
    """`number` windows of `step` seconds from `begin`."""

    begin: float
    step: float
    number: int

    @property
    def end(self) -> float:
        """Within the last window, so that rounding can't make one more."""
        return self.begin + (self.number - 0.5) * self.step


@dataclass(frozen=True, slots=True)
class Alignment:
    """`first`: the old side's first window lies beside the new side's window of this number, below 0 before it.

    `shift`: seconds that were added to the old side's times; None when both were cut into equally many parts.
    """

    words: str
    new: Slices
    old: Slices
    first: int
    shift: float | None


def align(old: Span, new: Span, *, dated: bool = True) -> Alignment:
    """By the same time where the old side covers half of the new one's, else by time of day, else from the start.
    `dated`: whether the lines of both told these times."""
    slices = _slices(new)
    if not dated:
        return _stretched("from the start, as lines tell no times", old, slices)
    if old.share_of(new) >= _ENOUGH:
        return _shifted("by the same time: old and new ran side by side", old, slices, 0.0)
    near = round((new.begin + new.end - old.begin - old.end) / 2 / DAY)
    best = max((near, near - 1, near + 1), key=lambda days: old.moved(days * DAY).share_of(new))
    if best and old.moved(best * DAY).share_of(new) >= _ENOUGH:
        days = "1 day" if abs(best) == 1 else f"{abs(best)} days"
        words = f"by time of day: the old logs are from {days} {'earlier' if best > 0 else 'later'}"
        return _shifted(words, old, slices, best * DAY)
    return _stretched("from the start, as they are of different times", old, slices)


def _slices(new: Span) -> Slices:
    step = max(WINDOW, math.ceil(new.length / MOST_WINDOWS / WINDOW) * WINDOW)
    if new.length < _LEAST_WINDOWS * step:
        step = max(math.ceil(new.length / _LEAST_WINDOWS), 1.0)
    return Slices(new.begin, step, math.floor(new.length / step) + 1)


def _stretched(words: str, old: Span, new: Slices) -> Alignment:
    step = max(old.length * (1 + 1e-9), 1e-3) / new.number
    words = f"{words}: each side's time cut into {new.number} equal parts"
    return Alignment(words, new, Slices(old.begin, step, new.number), 0, None)


def _shifted(words: str, old: Span, new: Slices, shift: float) -> Alignment:
    """The old side on the new side's grid, with as much before and after it as may serve as history."""
    moved = old.moved(shift)
    first = max(math.floor((moved.begin - new.begin) / new.step), -2 * MOST_WINDOWS)
    last = min(math.floor((moved.end - new.begin) / new.step), new.number + 2 * MOST_WINDOWS)
    begin = new.begin + first * new.step - shift
    return Alignment(words, new, Slices(begin, new.step, last - first + 1), first, shift)
