from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from noonday_shared.bus.backoff import Backoff


def test_the_first_wait_is_short_and_the_next_ones_grow_to_the_longest() -> None:
    backoff = Backoff(Random(1))
    waits = [backoff.next() for _ in range(40)]

    assert 0.0 <= waits[0] <= 1.0
    assert all(1.0 <= wait <= 30.0 for wait in waits[1:])
    assert max(waits) > 20.0


@given(seed=st.integers(), longest=st.floats(0.01, 100.0), attempts=st.integers(1, 2000))
def test_no_wait_is_longer_than_the_longest(seed: int, longest: float, attempts: int) -> None:
    backoff = Backoff(Random(seed), longest=longest)

    assert all(0.0 <= backoff.next() <= longest for _ in range(attempts))


def test_a_fleet_does_not_come_back_in_one_instant() -> None:
    firsts = {round(Backoff(Random(seed)).next(), 2) for seed in range(100)}

    assert len(firsts) > 50


def test_after_success_the_next_wait_is_a_first_one_again() -> None:
    backoff = Backoff(Random(2))
    for _ in range(10):
        backoff.next()

    backoff.reset()

    assert backoff.next() <= 1.0
