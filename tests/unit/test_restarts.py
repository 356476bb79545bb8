"""Which starts of an app count as its own doing."""

from __future__ import annotations

from noonday_agent.evidence.restarts import Restarts

FIRST, ASKED, CRASHED, AGAIN = (1, 10.0), (2, 20.0), (3, 30.0), (1, 40.0)


def test_only_starts_that_nobody_asked_for_are_counted() -> None:
    restarts = Restarts()
    assert restarts.look(FIRST) == 0
    assert restarts.look(FIRST) == 0
    restarts.asked()
    assert restarts.look(None) == 0
    assert restarts.look(ASKED) == 0
    assert restarts.look(CRASHED) == 1
    restarts.settled()
    assert restarts.look(AGAIN) == 2


def test_a_restart_that_is_over_excuses_no_later_one() -> None:
    restarts = Restarts()
    restarts.look(FIRST)
    restarts.asked()
    restarts.settled()
    assert restarts.look(ASKED) == 1


def test_a_pid_that_comes_back_is_another_start() -> None:
    restarts = Restarts()
    restarts.look(FIRST)
    assert restarts.look(AGAIN) == 1
