"""What starts always say is told apart only where more than starts is known."""

from __future__ import annotations

import pytest

from noonday_coordinator.verdict.catalogue import START, Catalogue, Entry


def _catalogue(*, later: float, episodes: int, at_start: int) -> Catalogue:
    """Four starts of ten minutes, and `later` seconds after them."""
    entry = Entry("k", "WARN", "", "pool is cold", 1, 0.0, episodes=episodes, at_start=at_start, releases={"1.0": 1})
    return Catalogue({"k": entry}, seconds=4 * START + later, start_seconds=4 * START)


@pytest.mark.parametrize(
    ("later", "episodes", "at_start", "answer"),
    [
        (40 * START, 8, 8, True),
        (40 * START, 24, 8, True),
        (40 * START, 88, 8, False),
        (40 * START, 1, 1, False),
        (0.0, 80, 80, False),
        (START / 2, 80, 80, False),
    ],
)
def test_a_record_is_of_starts_when_starts_show_it_three_times_as_often_as_later_hours(
    later: float, episodes: int, at_start: int, answer: bool
) -> None:
    assert _catalogue(later=later, episodes=episodes, at_start=at_start).of_starts("k") is answer
