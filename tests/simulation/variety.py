"""More of what fleets have: racks, hosts that are away or come late, failures that may happen, impatient operators."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TypeVar

from simulation.script import Mishap, Script, Wish, plain

T = TypeVar("T", bound=Mishap | Wish)


def script(seed: int) -> Script:
    """The story of this seed. What is added here is decided apart, so that nothing else of it changes."""
    story, chance = plain(seed), Random(f"the fleet of {seed}")
    if chance.random() < 0.35 and len(story.hosts) > 2:
        story = _in_racks(story, chance)
    if chance.random() < 0.4:
        most = chance.choice((1, 2, "34%", "50%"))
        story = replace(story, policy=story.policy.model_copy(update={"max_failures": most}))
    if chance.random() < 0.25 and len(story.hosts) > 1:
        story = _with_absent(story, chance)
    if story.mishaps and chance.random() < 0.1:
        deleted = Mishap(chance.uniform(0.0, story.calm_after), "queue-deleted", chance.choice(story.hosts))
        story = replace(story, mishaps=_in_order(story.mishaps, [deleted]))
    return replace(story, impatient=chance.random() < 0.2)


def kinds(story: Script) -> tuple[str, ...]:
    """What is told of such worlds."""
    policy = story.policy
    told = {
        "in racks": bool(story.racks),
        "failures may pass": policy.max_failures != 0,
        "offline skip": policy.offline == "skip",
        "offline wait": policy.offline == "wait",
        "late hosts": bool(story.late),
        "impatient": story.impatient,
    }
    return tuple(name for name, is_so in told.items() if is_so)


def _in_racks(story: Script, chance: Random) -> Script:
    names = "abc"[: chance.randint(2, 3)]
    changes = {
        "group_by": "rack",
        "group_limit": chance.choice((1, 1, "50%", "100%")),
        "max_unavailable": chance.choice((1, 2, "50%", "100%")),
    }
    racks = tuple((host, chance.choice(names)) for host in story.hosts)
    return replace(story, racks=racks, policy=story.policy.model_copy(update=changes))


def _with_absent(story: Script, chance: Random) -> Script:
    """Hosts that miss a rollout, and come home; others come late."""
    most = len(story.hosts) // 2
    away, late = chance.sample(story.hosts, most), story.hosts[len(story.hosts) - chance.randint(0, most) :]
    gone = [
        Mishap(chance.uniform(0.0, 0.3 * story.calm_after), "host-cut-off", host, chance.uniform(30.0, 200.0))
        for host in away
    ]
    come = [Wish(chance.uniform(20.0, story.calm_after), "enroll", host) for host in late]
    changes = {"offline": chance.choice(("skip", "skip", "wait")), "catch_up": chance.random() < 0.8}
    return replace(
        story,
        late=late,
        policy=story.policy.model_copy(update=changes),
        mishaps=_in_order(story.mishaps, gone),
        wishes=_in_order(story.wishes, come),
    )


def _in_order(some: tuple[T, ...], more: list[T]) -> tuple[T, ...]:
    return tuple(sorted([*some, *more], key=lambda one: one.at))
