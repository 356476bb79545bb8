"""From a story that breaks a rule to the shortest one found that breaks the same rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from simulation.script import Script

from noonday_shared.bus.memory import Faults

T = TypeVar("T")
Breaks = Callable[[Script], str]
"""The first words of what a story breaks, as in 'rule 8'; empty when all holds."""


def shrink(story: Script, breaks: Breaks, most: int = 300) -> Script:
    """Leave out what is not needed, one part after the other, for at most `most` runs."""
    words, left = breaks(story), most
    went_on = bool(words)
    while went_on and left > 0:
        went_on = False
        for shorter in _shorter(story):
            left -= 1
            if left < 0:
                break
            if breaks(shorter) == words:
                story, went_on = shorter, True
                break
    return story


def _shorter(story: Script) -> Iterator[Script]:
    """The boldest first."""
    for faults in (Faults(), replace(story.faults, reorder=0.0, repeat=0.0)):
        if story.faults != faults:
            yield replace(story, faults=faults)
    for mishaps in _without(story.mishaps):
        yield replace(story, mishaps=mishaps)
    for wishes in _without(story.wishes):
        yield replace(story, wishes=wishes)
    for candidates in _without(story.candidates):
        if candidates:
            yield replace(story, candidates=candidates)
    for change in ({"download": 0.0}, {"longest_request": 0.0}, {"late": ()}, {"impatient": False}):
        if any(getattr(story, name) != value for name, value in change.items()):
            yield replace(story, **change)


def _without(parts: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Halves, then quarters, down to each alone left out."""
    size = len(parts)
    while size >= 1:
        for start in range(0, len(parts), size):
            yield (*parts[:start], *parts[start + size :])
        size //= 2
