"""What an input's log holds already, for faults that change it: alerts by their rate, and what success looks like."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

from bench.verdict.world import START, Kind
from noonday_coordinator.statistics.spending import band_of
from noonday_shared.messages.evidence import Template

ALERTS = (0.015, 0.1)
"""Episodes by request: ten times as many are possible, and three times as many can be seen."""
SUCCESSES = (0.2, 0.6)
_WORD = re.compile(r"(?<![\w<.])[A-Za-z]{4,}(?![\w>.])")


@dataclass(frozen=True)
class Known:
    alerts: tuple[Kind, ...]
    successes: tuple[Kind, ...]

    @classmethod
    def among(cls, kinds: Iterable[Kind]) -> Known:
        found = list(kinds)
        alerts = [one for one in found if _within(one, ALERTS) and band_of(one.template.level) != "other"]
        successes = [one for one in found if _within(one, SUCCESSES) and band_of(one.template.level) == "other"]
        return cls(tuple(alerts), tuple(successes))

    def alert(self, chance: random.Random) -> Kind:
        return chance.choice(self.alerts)

    def success(self, chance: random.Random) -> Kind:
        return chance.choice(self.successes)


def changed(one: Template, chance: random.Random) -> Template:
    """The same template with one word of its text replaced."""
    sample = one.samples[0] if one.samples else one.text
    words = [word for word in dict.fromkeys(_WORD.findall(one.text)) if word in sample]
    word = chance.choice(words)
    new = "Declined" if word[0].isupper() else "declined"
    return one.model_copy(
        update={
            "key": f"{int(one.key, 16) ^ 1:016x}",
            "text": one.text.replace(word, new, 1),
            "samples": (sample.replace(word, new, 1),),
            "first_seen": START,
        }
    )


def reworded(text: str) -> str:
    """Another word at the second place where there is one: a benign release's other wording."""
    words = list(_WORD.finditer(text))
    if not words:
        return f"{text} fresh"
    place = words[min(1, len(words) - 1)]
    return f"{text[: place.start()]}fresh{text[place.end() :]}"


def _within(one: Kind, limits: tuple[float, float]) -> bool:
    return limits[0] <= one.rate <= limits[1]
