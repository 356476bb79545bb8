"""A coordinator killed by SIGKILL again and again in the middle of a rollout, and started again each time.

The rollout goes on to the end that it would have come to, no host is told the same thing twice in other words, and the
history has no gap.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence

import pytest
from chaos.caught import in_a_row_and_alone

from noonday_coordinator.api import models as m
from noonday_coordinator.cli.exits import Exit
from noonday_coordinator.core import events as e
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.told_events import kept

ALL = {"web-1", "web-2", "web-3"}

PATIENCE = 300
"""Seconds: a coordinator that starts many times on a busy machine needs its time."""

STARTED = "kept:CoordinatorStarted"
BEGINNING = (
    "kept:RolloutStarted",
    STARTED,
    "kept:Assigned:prepared",
    "said:prepared",
    "kept:HostJudged:prepared",
)
CANARY = (
    "kept:StageEntered:rolling",
    "kept:Assigned:serving",
    "said:serving",
    "kept:HostJudged:serving",
    "kept:StageEntered:examining",
    "kept:VerdictReached",
)
WAVES = ("kept:HostJudged:working", "kept:HostJudged:serving", "said:serving", "kept:RolloutEnded")
GOING_BACK = (
    "kept:HostJudged:reverted",
    "kept:StageEntered:rolling-back",
    "kept:HostJudged:going-back",
    "said:serving",
    "kept:HostJudged:back",
    "kept:RolloutEnded",
)


PRUNED = "kept:ReleasePruned"
POINTS = (*BEGINNING, *CANARY, *WAVES, *GOING_BACK, PRUNED)
"""All of these; compared with the code by `test_crash_points`."""
ALONE = in_a_row_and_alone([point for point in (*BEGINNING, *CANARY, *WAVES) if point != STARTED])[1:]
"""It dies at its start only where it died before."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("points", [BEGINNING, CANARY, WAVES, *ALONE])
def test_a_rollout_goes_on_through_every_death_of_its_coordinator(points: Sequence[str], fleet: Fleet) -> None:
    fleet.policy(prepare_within=PATIENCE, host_within=PATIENCE, examine=0.5, examine_most=PATIENCE)
    version, before = fleet.push(), _starts(fleet)
    with fleet.load(clients=1) as load:
        end = _through(fleet, version, points)
        load.after(5)
    assert load.failures == []
    assert end.end == "done", end.reason
    assert _starts(fleet) == {host: [*starts, version] for host, starts in before.items()}
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert fleet.in_service() == ALL
    _told_once(fleet, end.id)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("points", in_a_row_and_alone(GOING_BACK))
def test_a_rollout_goes_back_through_every_death_of_its_coordinator(points: Sequence[str], fleet: Fleet) -> None:
    hook = '#!/bin/sh\n[ "$NOONDAY_HOST" != web-2 ]\n'
    fleet.policy(prepare_within=PATIENCE, host_within=PATIENCE)
    old = fleet.app().current
    assert old is not None
    version = fleet.push(toml='[hooks]\npost_activate = "hooks/post"\n', files={"hooks/post": hook})
    before = _starts(fleet)
    with fleet.load(clients=1) as load:
        end = _through(fleet, version, points)
        load.after(5)
    assert load.failures == []
    assert end.end == "rolled-back", end.reason
    went = [version, old.version]
    assert _starts(fleet) == {host: [*starts, *(went if host != "web-3" else ())] for host, starts in before.items()}
    assert {host.web.answers for host in fleet.hosts} == {old.version}
    assert fleet.in_service() == ALL
    _told_once(fleet, end.id)


def test_old_archives_that_go_with_a_push_whose_answer_was_lost_are_gone_once_it_is_pushed_again(fleet: Fleet) -> None:
    older, *_ = fleet.push(), fleet.push()
    version, archive = fleet.build()
    config = fleet.coordinator.made.config
    usual = config.read_text()
    fleet.coordinator.kill()
    config.write_text(f"keep_releases = 2\n{usual}")
    try:
        fleet.coordinator.start()
        fleet.crash_file.write_text(f"coordinator:{PRUNED}")
        assert fleet.cli("release", "push", str(archive)).exit == Exit.UNEXPECTED
        _dies(fleet, PRUNED)
    finally:
        config.write_text(usual)
    fleet.coordinator.start()
    fleet.all_heard()
    assert fleet.refused("deploy", "web", older, "--yes").rule == "archive-pruned"
    assert fleet.ok("release", "push", str(archive))["new"] is False
    names = [file.name for file in (fleet.folder / "noonday" / "data" / "artifacts" / "web").iterdir()]
    assert not [name for name in names if name.startswith(f"web-{older}-")]
    assert len([name for name in names if name.startswith(f"web-{version}-")]) == 2  # archive and manifest
    events = [record.event for record in kept(fleet.folder / "noonday" / "data" / "events.sqlite")]
    pruned = [event.release.version for event in events if isinstance(event, e.ReleasePruned)]
    assert pruned.count(older) == 1


def _through(fleet: Fleet, version: str, points: Sequence[str]) -> m.RolloutInfo:
    """Deploy it; the coordinator dies at each of `points`, one after the other. The rollout, once it has ended."""
    fleet.crash_file.write_text(f"coordinator:{points[0]}")
    fleet.cli("deploy", "web", version, "--yes", "--no-wait")  # at the first point nobody is left to answer
    for point, following in zip(points, [*points[1:], ""], strict=True):
        _dies(fleet, point)
        fleet.crash_file.write_text(f"coordinator:{following}")
        fleet.coordinator.begin()
    newest = eventually(lambda: fleet.get("/rollouts", m.Rollouts).rollouts, what="the API", within=WITHIN)[0]
    assert newest.release.version == version
    return fleet.ended(newest.id)


def _dies(fleet: Fleet, point: str) -> None:
    process = fleet.coordinator.process
    assert process is not None
    eventually(lambda: process.poll() is not None, what=f"the coordinator's death at {point}", within=WITHIN)
    assert process.returncode == -signal.SIGKILL, fleet.coordinator.log()[-3000:]


def _starts(fleet: Fleet) -> dict[str, list[str]]:
    return {host.name: host.web.starts for host in fleet.hosts}


def _told_once(fleet: Fleet, rollout: str) -> None:
    """Each fact of the rollout was kept once, and each host was assigned each thing once."""
    records = kept(fleet.folder / "noonday" / "data" / "events.sqlite")
    terms = [record.event.term for record in records if isinstance(record.event, e.CoordinatorStarted)]
    assert terms == list(range(1, len(terms) + 1))
    facts: Counter[tuple[object, ...]] = Counter()
    for record in records:
        match record.event:
            case e.Assigned(host=host, goal=goal, release=release, rollout=one, observe=observe) if one == rollout:
                facts["assigned", host, goal, release, observe] += 1
            case e.StageEntered(rollout=one, stage=stage, wave=wave) if one == rollout:
                facts["stage", stage, wave] += 1
            case e.HostJudged(rollout=one, host=host, state=state) if one == rollout:
                facts["judged", host, state] += 1
            case e.RolloutStarted(rollout=one) | e.RolloutEnded(rollout=one) | e.VerdictReached(rollout=one):
                facts[type(record.event).__name__, one] += 1
    twice = {fact: count for fact, count in facts.items() if count > 1}
    assert twice == {}
    assert facts["RolloutStarted", rollout] == facts["RolloutEnded", rollout] == 1
