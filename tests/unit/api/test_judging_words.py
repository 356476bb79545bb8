from __future__ import annotations

from noonday_coordinator.api.judging import judging
from noonday_coordinator.core.policy import Policy


def told(**changes: object) -> tuple[str, ...]:
    return judging(Policy.model_validate({"app": "web", "hosts": {"role": "web"}, **changes}))


def test_a_plan_says_what_a_hold_that_lasts_does() -> None:
    assert "on hold 610 s after the examine began: it goes back" in told(on_hold="rollback", hold_after=10)


def test_a_dry_run_says_first_that_it_only_judges_and_of_no_hold_that_it_acts() -> None:
    lines = told(on_hold="rollback", dry_run=True)
    assert lines[0].startswith("DRY RUN: it only judges")
    assert not any("it goes back" in line for line in lines)
