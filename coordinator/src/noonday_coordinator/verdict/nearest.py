"""The known template that a text is most like: a hint for people, and the sign of a record that was only reworded."""

from __future__ import annotations

from collections import Counter

from noonday_coordinator.verdict.catalogue import Catalogue, Entry, nearness, tokens_of

ALIKE = 0.5
"""From here on two texts may be one record in two wordings."""
_MOST_ASKED = 500
"""Texts that are looked up during one rollout: a flood of garbage is like nothing."""
_CANDIDATES = 20


class Nearest:
    """Answers are kept, so asking again costs nothing."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._by_word: dict[str, list[str]] | None = None
        self._found: dict[str, tuple[Entry, float] | None] = {}

    def of(self, text: str) -> tuple[Entry, float] | None:
        """With how near it is, from 0.5 to 1; None when nothing known is like it."""
        if text not in self._found:
            if len(self._found) >= _MOST_ASKED:
                return None
            self._found[text] = self._search(text)
        return self._found[text]

    def _search(self, text: str) -> tuple[Entry, float] | None:
        if self._by_word is None:
            self._by_word = {}
            for key in sorted(self._catalogue.entries):
                entry = self._catalogue.known(key)
                for word in set(tokens_of(entry.text)) if entry else ():
                    self._by_word.setdefault(word, []).append(key)
        votes = Counter(key for word in sorted(set(tokens_of(text))) for key in self._by_word.get(word, ()))
        best = sorted(votes, key=lambda key: (-votes[key], key))[:_CANDIDATES]
        scored = [(nearness(self._catalogue.entries[key].text, text), key) for key in best]
        score, key = max(scored, default=(0.0, ""), key=lambda one: (one[0], one[1]))
        return (self._catalogue.entries[key], score) if score >= ALIKE else None
