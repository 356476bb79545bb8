"""Whoever acts may say why: it is kept with the act, and history tells it in their words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from noonday_coordinator.core import commands as c
from noonday_coordinator.core import events as e
from noonday_coordinator.words import say
from support.story import Story

WHY = "the queue is empty at noon"


def quiet() -> Story:
    return Story()


def examining() -> Story:
    story = quiet()
    story.deploy()
    for name in (*story.names, "web-1"):
        story.takes(name)
    assert story.rollout.stage is e.Stage.EXAMINING
    return story


def paused() -> Story:
    story = examining()
    story.ask(c.Pause("web"))
    return story


def drained() -> Story:
    story = quiet()
    story.ask(c.DrainHost("web-3"))
    return story


@pytest.mark.parametrize(
    ("scene", "command"),
    [
        (quiet, lambda story: c.Deploy("web", "1.1.0", story.policy, why=WHY)),
        (quiet, lambda _: c.DrainHost("web-3", WHY)),
        (drained, lambda _: c.UndrainHost("web-3", WHY)),
        (quiet, lambda _: c.Enroll("web-4", {"role": "web"}, "key", WHY)),
        (quiet, lambda _: c.Remove("web-3", WHY)),
        (examining, lambda _: c.Promote("web", WHY)),
        (examining, lambda _: c.Pause("web", WHY)),
        (paused, lambda _: c.Resume("web", WHY)),
        (examining, lambda _: c.Abort("web", WHY)),
        (examining, lambda story: c.Rollback("web", story.policy, WHY)),
    ],
)
def test_the_reason_of_an_act_is_kept_with_it_and_told(
    scene: Callable[[], Story], command: Callable[[Story], c.Command]
) -> None:
    story = scene()
    first = story.ask(command(story))[0]
    assert getattr(first, "why") == WHY  # noqa: B009
    assert say(first).endswith(f": {WHY}.")


def test_without_a_reason_nothing_is_told_of_one() -> None:
    (paused_by,) = examining().ask(c.Pause("web"))
    assert say(paused_by) == "It was paused."
