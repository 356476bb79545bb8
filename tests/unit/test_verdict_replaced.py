"""A record that has gone quiet is only worded otherwise where new ones like it come about as often."""

from __future__ import annotations

import pytest

from bench.verdict.world import Fault, Kind, Knobs, known_kinds, make_world, template
from noonday_coordinator.verdict.catalogue import nearness
from noonday_coordinator.verdict.judge import EvidenceJudge
from noonday_coordinator.verdict.replaced import replaced

KNOBS = Knobs(seed=3, kinds=24, history=900.0, length=200.0, per_minute=120.0)
USUAL = known_kinds(KNOBS)[1]
WORDS = USUAL.template.text.removesuffix(" <*>")
SIBLING = known_kinds(KNOBS)[4]


def _silent(*instead: Kind) -> bool:
    world = make_world(KNOBS, Fault("silent", times=((USUAL.key, 0.0),), kinds=instead))
    session = EvidenceJudge().open(world.trial)
    for window in world.windows:
        session.advance(window)
    judgement = session.judgement(world.rollout, world.hosts, session.ends)
    return any(finding.kind == "silence" and finding.holds for finding in judgement.findings)


@pytest.mark.parametrize(
    ("instead", "silent"),
    [
        ((), True),
        ((Kind(template(f"{WORDS} at last"), USUAL.rate),), False),
        ((Kind(template(f"{WORDS} at last"), USUAL.rate / 10),), True),
        ((Kind(template(f"{WORDS} here"), USUAL.rate / 2), Kind(template(f"{WORDS} or there"), USUAL.rate / 2)), False),
        ((Kind(template("another thing altogether was done"), USUAL.rate),), True),
        ((Kind(template(f"{WORDS} failed", "ERROR"), USUAL.rate),), True),
    ],
    ids=["nothing", "one like it", "a rare one", "two like it", "another text", "an error"],
)
def test_only_like_ones_that_are_as_frequent_take_its_place(instead: tuple[Kind, ...], silent: bool) -> None:
    assert _silent(*instead) == silent


def test_it_does_not_matter_which_known_record_the_new_one_is_nearest_to() -> None:
    other = SIBLING.template.text
    mixed = " ".join([*WORDS.split()[:-1], *other.removesuffix(" <*>").split()])
    assert nearness(mixed, other) > nearness(mixed, WORDS)
    assert not _silent(Kind(template(mixed), USUAL.rate))


def test_one_that_stands_for_several_is_found_among_many_rare_new_ones() -> None:
    letters = "bcdfghjklmnpqrst"
    words = [f"{a}o{b}{a}{b}ex" for a in letters for b in letters]
    rare = [Kind(template(" ".join(words[at : at + 1 + at % 9])), 0.06) for at in range(200)]
    assert not _silent(Kind(template(f"{WORDS} at last"), 2.5 * USUAL.rate), *rare)


def test_what_nobody_expects_needs_nothing_in_its_place() -> None:
    world = make_world(KNOBS, Fault("new", kinds=(Kind(template("another thing altogether was done"), 0.5),)))
    session = EvidenceJudge().open(world.trial)
    for window in world.windows:
        session.advance(window)
    new = next(name for name, unit in sorted(session.units.items()) if unit.x and not unit.about.known)
    assert session.past.rate_of(new, session.new_hosts) == 0.0
    assert replaced(session, new)
