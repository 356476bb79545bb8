"""What the shop sells."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Article:
    number: int
    name: str
    cents: int


ARTICLES = tuple(
    Article(1000 + index, f"{colour} {thing}", 495 + 350 * index)
    for index, (colour, thing) in enumerate(
        (colour, thing)
        for colour in ("white", "green", "blue", "grey")
        for thing in ("cup", "bowl", "plate", "jug", "tray", "lamp")
    )
)


def some() -> tuple[Article, ...]:
    """What one customer has in the cart."""
    return tuple(random.choices(ARTICLES, k=random.randint(1, 5)))


def listed(articles: tuple[Article, ...]) -> int:
    """What they cost together, in cents."""
    return sum(article.cents for article in articles)


def euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d} EUR"
