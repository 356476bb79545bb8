"""Two agents under one host's name, told from one that is kept out by its own lost connection."""

from __future__ import annotations

from noonday_coordinator.doubles import LASTS, Doubles
from noonday_shared.messages import Claim, Snapshot


def said(boot: int, seq: int = 1, sent_at: float = 0.0) -> Snapshot:
    return Snapshot(host="web-1", boot=boot, seq=seq, sent_at=sent_at)


def claim(boot: int) -> Claim:
    return Claim(host="web-1", boot=boot, sent_at=0.0, machine="on mars, pid 7")


def test_an_agent_that_is_kept_out_while_another_speaks_is_a_second_one() -> None:
    doubles = Doubles()
    doubles.heard(said(1), 0.0)
    doubles.claimed(claim(2), 5.0)
    assert doubles.words(5.0) == {}
    doubles.heard(said(1, 2), 10.0)
    assert "on mars, pid 7" in doubles.words(10.0)["web-1"]


def test_an_agent_that_gets_in_was_kept_out_by_itself() -> None:
    doubles = Doubles()
    doubles.claimed(claim(2), 5.0)
    doubles.heard(said(2), 30.0)
    doubles.heard(said(2, 2), 40.0)
    assert doubles.words(40.0) == {}


def test_a_second_agent_that_says_nothing_any_more_is_forgotten() -> None:
    doubles = Doubles()
    doubles.claimed(claim(2), 0.0)
    doubles.heard(said(1), 1.0)
    assert doubles.words(LASTS) != {}
    doubles.heard(said(1, 2), LASTS + 1)
    assert doubles.words(LASTS + 1) == {}


def test_an_older_agent_that_speaks_after_a_newer_one_is_shown() -> None:
    doubles = Doubles()
    doubles.outdated(said(1, 9, sent_at=50.0), said(2, 3, sent_at=60.0), 70.0)
    assert doubles.words(70.0) == {}, "it was only late"
    doubles.outdated(said(1, 10, sent_at=61.0), said(2, 3, sent_at=60.0), 70.0)
    assert "begun earlier" in doubles.words(70.0)["web-1"]
