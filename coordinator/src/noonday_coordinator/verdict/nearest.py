"""The known template that a text is most like: a hint for people, and the sign of a record that was only reworded."""

from __future__ import annotations

from collections import Counter

from noonday_coordinator.verdict.catalogue import Catalogue, Entry, nearness, tokens_of
from noonday_coordinator.verdict.counting import About

ALIKE = 0.5
"""From here on two texts may be one record in two wordings."""
_MOST_ASKED = 500
"""Texts that are looked up during one rollout: a flood of garbage is like nothing."""
_CANDIDATES = 20
_SAME_LEVEL = 0.2


class Nearest:
    """Answers are kept, so asking again costs nothing."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._by_word: dict[str, list[str]] | None = None
        self._found: dict[tuple[str, str], tuple[Entry, float] | None] = {}

    def of(self, about: About) -> tuple[Entry, float] | None:
        """With how near it is, from 0.5 to 1; None when nothing known is like it."""
        asked = (about.text, about.level)
        if asked not in self._found:
            if len(self._found) >= _MOST_ASKED:
                return None
            self._found[asked] = self._search(*asked)
        return self._found[asked]

    def _search(self, text: str, level: str) -> tuple[Entry, float] | None:
        if self._by_word is None:
            self._by_word = {}
            for key in sorted(self._catalogue.entries):
                entry = self._catalogue.known(key)
                for word in set(tokens_of(entry.text)) if entry else ():
                    self._by_word.setdefault(word, []).append(key)
        votes = Counter(key for word in sorted(set(tokens_of(text))) for key in self._by_word.get(word, ()))
        best = sorted(votes, key=lambda key: (-votes[key], key))[:_CANDIDATES]
        entries = self._catalogue.entries
        scored = [(nearness(entries[key].text, text), key) for key in best]
        # What changes its wording keeps its level, more often than not.
        score, key = max(
            scored, default=(0.0, ""), key=lambda one: (one[0] + _SAME_LEVEL * (entries[one[1]].level == level), one[1])
        )
        return (self._catalogue.entries[key], score) if score >= ALIKE else None
