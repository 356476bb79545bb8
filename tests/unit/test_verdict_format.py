"""A log in another format is no new error; a release that writes nothing but new errors is one."""

from __future__ import annotations

from dataclasses import replace

from bench.verdict.world import Fault, Knobs, error_kind, make_world
from noonday_coordinator.verdict.judge import EvidenceJudge, replay
from noonday_coordinator.verdict.log_format import format_changed

KNOBS = Knobs(seed=3, kinds=24, history=900.0, length=200.0, per_minute=120.0)


def _changed(fault: Fault) -> bool:
    world = make_world(KNOBS, fault)
    session = EvidenceJudge().open(world.trial)
    for window in world.windows:
        session.advance(window)
    return format_changed(session)


def test_a_log_of_which_every_line_is_written_otherwise_has_another_format() -> None:
    assert _changed(Fault("json", renamed=lambda text: f"[mark] {text}"))


def test_some_reworded_lines_are_no_other_format() -> None:
    assert not _changed(Fault("benign", renamed=lambda text: f"[mark] {text}", rename_share=0.5))
    assert not _changed(Fault())


def test_a_release_that_writes_a_new_error_like_no_other_is_turned_back_in_any_format() -> None:
    error = error_kind(0.3, "KeyError in shop/pay.py charge")
    world = make_world(KNOBS, replace(Fault("both", renamed=lambda text: f"[mark] {text}"), kinds=(error,)))
    assert any(judgement.verdict == "roll back" for _, judgement in replay(world.trial, world.windows))
