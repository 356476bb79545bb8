"""What of a book goes into one message: what is new and what has changed, and of the rest a little in turn."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest

from noonday_shared.logs.book import Book, Seen
from noonday_shared.logs.levels import RANK, SERIOUS
from noonday_shared.logs.sizes import wire_size
from noonday_shared.messages import Template

MOST_COUNTS = 3000
MOST_TEMPLATES = 300
TEMPLATES_BYTES = 128 << 10
"""Of new templates in one message, on the wire; others wait for the next."""
QUIET_BYTES = 6500
"""What a message's counts and templates may take for more to be told in turn."""
IN_TURN = 24
"""Counts told again in one message; and one template."""
AGAIN = 2
AGAIN_SERIOUS = 5
"""Further messages that tell a new template: any may be lost, and then nobody knows how bad its records are."""
COUNT_BYTES = 40
_TEMPLATE_BYTES = 160

Counts = dict[str, tuple[int, int]]


class Teller:
    """Serious levels go first, then what waits for longest. What finds no room waits; nothing is lost. One thread."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._turn: Iterator[str] = iter(())
        self._template_turn: Iterator[str] = iter(())

    def tell(self) -> tuple[Counts, tuple[Template, ...]]:
        """Counts and templates for the next message; they count as told. A key's counts never go before its
        template."""
        templates = self._new_templates()
        counts = self._changed()
        spent = COUNT_BYTES * len(counts)
        templates += self._repeated(QUIET_BYTES - spent, {one.key for one in templates})
        spent += sum(map(_size, templates))
        if spent < QUIET_BYTES:
            self._tell_again(counts)
            templates += self._template_again(QUIET_BYTES - spent, {one.key for one in templates})
        return counts, tuple(templates)

    def _new_templates(self) -> list[Template]:
        waiting = nsmallest(MOST_TEMPLATES, self._book.untold.values(), key=_urgency)
        templates: list[Template] = []
        left = TEMPLATES_BYTES
        for seen in waiting:
            template = _template(seen)
            left -= _size(template)
            if left < 0:
                break
            templates.append(template)
            del self._book.untold[seen.key]
            if seen.told < 0:
                seen.told, seen.again = 0, AGAIN_SERIOUS if seen.level in SERIOUS else AGAIN
                self._book.repeated[seen.key] = seen
        return templates

    def _repeated(self, room: int, already: set[str]) -> list[Template]:
        """Those that were told lately, as far as there is room; one of the serious also when there is none."""
        templates: list[Template] = []
        for seen in nsmallest(MOST_TEMPLATES, self._book.repeated.values(), key=_urgency_again):
            if seen.key in already:
                continue
            template = _template(seen)
            room -= _size(template)
            if room < 0 and (templates or seen.level not in SERIOUS):
                break
            templates.append(template)
            seen.again -= 1
            if not seen.again:
                del self._book.repeated[seen.key]
        return templates

    def _changed(self) -> Counts:
        known = [seen for seen in self._book.changed.values() if seen.told >= 0]
        if len(known) > MOST_COUNTS:
            known.sort(key=lambda seen: RANK[seen.level])
        return dict(map(self._told, known[:MOST_COUNTS]))

    def _tell_again(self, counts: Counts) -> None:
        for _ in range(min(IN_TURN, len(self._book.seen))):
            seen, self._turn = self._next(self._turn)
            if seen.told >= 0:
                counts.update([self._told(seen)])

    def _template_again(self, room: int, already: set[str]) -> list[Template]:
        if not self._book.seen:
            return []
        seen, self._template_turn = self._next(self._template_turn)
        template = _template(seen)
        wanted = seen.told >= 0 and seen.key not in already and _size(template) <= room
        return [template] if wanted else []

    def _next(self, turn: Iterator[str]) -> tuple[Seen, Iterator[str]]:
        """The next of all keys; those that made room since the turn began are left out."""
        for key in turn:
            if (seen := self._book.seen.get(key)) is not None:
                return seen, turn
        turn = iter(list(self._book.seen))
        return self._book.seen[next(turn)], turn

    def _told(self, seen: Seen) -> tuple[str, tuple[int, int]]:
        seen.told = seen.records
        self._book.changed.pop(seen.key, None)
        return seen.key, (seen.records, seen.episodes)


def _urgency(seen: Seen) -> tuple[bool, int, int]:
    """New before known with another sample, then the worst, then what came most often."""
    return (seen.told >= 0, RANK[seen.level], -seen.records)


def _urgency_again(seen: Seen) -> tuple[int, int]:
    """The worst, then what was told less often."""
    return (RANK[seen.level], -seen.again)


def _template(seen: Seen) -> Template:
    return Template(
        key=seen.key,
        level=seen.level,
        logger=seen.logger,
        text=seen.text,
        first_seen=seen.first,
        samples=tuple(seen.samples),
        by_second=2 * seen.seconds > seen.episodes,
    )


def _size(template: Template) -> int:
    return _TEMPLATE_BYTES + sum(map(wire_size, (template.text, template.logger, *template.samples)))
