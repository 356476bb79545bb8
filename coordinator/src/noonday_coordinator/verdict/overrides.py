"""What a policy says of single units: matched once, when a unit is first seen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from noonday_coordinator.core.policy import Override
from noonday_coordinator.verdict.counting import About


@dataclass(frozen=True, slots=True)
class Rule:
    ignored: bool = False
    holds: bool = False
    """It never rolls back; a person looks."""
    weight: float = 1.0
    """On its part of alpha."""


USUAL = Rule()


class Overrides:
    def __init__(self, overrides: Iterable[Override]) -> None:
        self._rules = [(re.compile(one.match), _rule(one)) for one in overrides]

    def of(self, about: About) -> Rule:
        """The first that matches the unit's name, or its level and text."""
        text = f"{about.level} {about.text}"
        return next((rule for found, rule in self._rules if found.search(about.unit) or found.search(text)), USUAL)


def _rule(override: Override) -> Rule:
    return Rule(override.action == "ignore", override.action == "hold", override.weight)
