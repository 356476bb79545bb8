"""Known records that come more often: what holds, what is blamed, also in other words."""

from __future__ import annotations

from dataclasses import replace

from bench.verdict.known import reworded
from bench.verdict.world import Fault, Knobs, known_kinds, make_world
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.judge import EvidenceJudge, replay

KNOBS = Knobs(seed=3, kinds=24, history=900.0, length=200.0, per_minute=120.0)
ALERT = next(kind for kind in known_kinds(KNOBS) if kind.template.level == "ERROR")


def _story(fault: Fault, seed: int = 3) -> list[Judgement]:
    world = make_world(replace(KNOBS, seed=seed), fault)
    return [judgement for _, judgement in replay(world.trial, world.windows)]


def test_something_known_that_may_well_be_the_release_holds_before_it_is_blamed() -> None:
    story = _story(Fault("often", times=((ALERT.key, 4.0),)))
    back = [judgement.verdict for judgement in story].index("roll back")
    held = next(one for one in story[:back] if one.verdict == "hold")
    assert "a person looks" in held.reason
    assert ALERT.template.text[:20] in held.reason


def test_a_reworded_alert_is_excused_at_its_rate_and_blamed_far_beyond_it() -> None:
    usual = Fault("reworded", renamed=reworded, rename_share=0.3)
    assert "roll back" not in {judgement.verdict for judgement in _story(usual)}
    often = _story(replace(usual, times=((ALERT.key, 10.0),)))
    assert "roll back" in {judgement.verdict for judgement in often}


def test_a_host_s_own_factor_tells_what_it_should_show() -> None:
    session = EvidenceJudge().open(make_world(KNOBS).trial)
    unit = f"template:{ALERT.key}"
    hosts = session.past.hosts
    told = {host: session.past.rate_of(unit, {host}) for host in hosts}
    plain = {host: session.past.rate(unit, host) for host in hosts}
    most, least = max(hosts, key=plain.__getitem__), min(hosts, key=plain.__getitem__)
    assert plain[least] < told[least] < session.past.rate(unit) < told[most] < plain[most]
    assert session.past.rate_of(unit, ()) == session.past.rate(unit)
