"""Agents killed by SIGKILL at every step: started again, each brings its host to a safe end, and nothing happens twice.

In each test two of three hosts do the same at the same time: the agent of web-1 dies before each step, that of web-2
after it, when the effect is there and the journal does not know it. web-3 serves meanwhile. `make chaos` lets them die
at each point alone, too, but for the way of stranded hosts, which has no end before it is healed in its middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import pytest
from chaos.caught import ALL, LONG, in_a_row_and_alone

from noonday_agent.core.journal import HOOKS, Journal, Stage, Way
from noonday_agent.core.ways import STAGES
from noonday_shared.messages import Goal, Outcome
from noonday_shared.names import ReleaseRef
from noonday_shared.release.signed import digest_of
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.fleet_host import FleetHost
from support.stand_in import StandIn, journal_of, settled

MOMENTS = ("before", "after")
later = pytest.mark.skipif(not LONG, reason="takes half a minute: make chaos")
HOOKS_RUN = [Stage.PRE_ACTIVATE, Stage.POST_ACTIVATE, Stage.POST_RETURN]


NOTHING: Mapping[str, Callable[[], None]] = MappingProxyType({})


@dataclass(frozen=True)
class Built:
    ref: ReleaseRef
    archive: Path | None = None


class Scene:
    """The fleet without its coordinator, and what was noted by hooks."""

    def __init__(self, fleet: Fleet, hand: StandIn) -> None:
        self.fleet = fleet
        self.hand = hand
        self.victims = fleet.hosts[:2]
        self._notes = fleet.folder / "hooks"

    def rest(self) -> None:
        """Every agent runs, and every host serves what it has proven."""
        for host in self.fleet.hosts:
            host.crash_file.unlink(missing_ok=True)
            host.start_agent()
        if journal_of(self.victims[0]).out_by_us:
            self._told(Goal.SERVING, self.serving)
        eventually(lambda: self.fleet.in_service() == ALL, what="all hosts in service", within=WITHIN)

    @property
    def serving(self) -> Built:
        """What both serve at rest."""
        proven = {journal_of(host).proven for host in self.victims}
        (ref,) = proven
        assert ref is not None
        return Built(ref)

    def release(self, *, hooks: bool = True, failing: str = "") -> Built:
        """A new release. Each of its hooks notes that it ran; `failing` names one that then fails."""
        names = ("pre_activate", "post_activate", "post_return") if hooks else ()
        toml = "[hooks]\n" + "".join(f'{name} = "hooks/{name}"\n' for name in names)
        files = {f"hooks/{name}": self._hook(name, int(name == failing)) for name in names}
        version, archive = self.fleet.build(toml=toml, files=files)
        return Built(ReleaseRef(version=version, digest=digest_of(archive)), archive)

    def noted(self, host: FleetHost, built: Built) -> list[str]:
        """The hooks of this release that ran there, in order."""
        file = self._notes.with_name(f"hooks.{host.name}.{built.ref.version}")
        return file.read_text().split() if file.exists() else []

    def say(
        self,
        goal: Goal,
        built: Built,
        points: Sequence[str],
        *,
        restart_for: str = "",
        then: Mapping[str, Callable[[], None]] = NOTHING,
    ) -> list[Journal]:
        """Tell both. Both die at each of `points` in turn, and are started again: how their journals ended. `then`:
        what happens while both are dead at a point."""
        self._arm(points[0])
        generations = self._told(goal, built, restart_for)
        for point, following in zip(points, [*points[1:], ""], strict=True):
            for host in self.victims:
                eventually(_dead(host), what=f"death of {host.name}'s agent around {point}", within=WITHIN)
            self._arm(following)
            then.get(point, _nothing)()
            for host in self.victims:
                host.start_agent()
        return [settled(host, generation) for host, generation in zip(self.victims, generations, strict=True)]

    def _arm(self, point: str) -> None:
        for host, moment in zip(self.victims, MOMENTS, strict=True):
            host.crash_file.write_text(f"agent:{point}".replace("around", moment))

    def _told(self, goal: Goal, built: Built, restart_for: str = "") -> list[int]:
        say = self.hand.say
        return [say(host, goal, built.ref, built.archive, restart_for=restart_for) for host in self.victims]

    def _hook(self, name: str, status: int) -> str:
        return f'#!/bin/sh\necho {name} >> "{self._notes}.$NOONDAY_HOST.$NOONDAY_RELEASE"\nexit {status}\n'


@pytest.fixture(scope="module")
def quiet_fleet(whole_fleet: Fleet) -> Iterator[tuple[Fleet, StandIn]]:
    """At rest, and its coordinator is down."""
    whole_fleet.at_rest()
    whole_fleet.coordinator.kill()
    with StandIn(whole_fleet) as hand:
        yield whole_fleet, hand
    whole_fleet.coordinator.start()


@pytest.fixture
def scene(quiet_fleet: tuple[Fleet, StandIn]) -> Iterator[Scene]:
    made = Scene(*quiet_fleet)
    made.rest()
    yield made
    print(made.fleet.words())  # pytest shows it when the test failed


def around(way: Way, stages: Iterable[Stage]) -> list[str]:
    return [f"around:{way}:{stage}" for stage in stages]


def _nothing() -> None:
    pass


def _dead(host: FleetHost) -> Callable[[], bool]:
    return lambda: not host.agent_runs


FORWARD = [stage for stage in STAGES[Way.FORWARD] if stage not in HOOKS]
EVERY_STEP = ["taken:serving", *around(Way.FORWARD, FORWARD)]
PREPARING = ["taken:prepared", *around(Way.PREPARE, STAGES[Way.PREPARE])]
LEAVING = ["taken:out", *around(Way.LEAVE, STAGES[Way.LEAVE])]
COMING_BACK = around(Way.RESUME, STAGES[Way.RESUME])
GOING_BACK = around(Way.BACK, STAGES[Way.BACK])
ADOPTING = around(Way.ADOPT, STAGES[Way.ADOPT])
RENEWING = around(Way.RENEW, STAGES[Way.RENEW])
STRANDED = around(Way.STRANDED, STAGES[Way.STRANDED])
EFFECTS = around(Way.FORWARD, (Stage.SWITCH, Stage.RESTART, Stage.RETURN))

POINTS = (
    *EVERY_STEP,
    *around(Way.FORWARD, HOOKS_RUN),
    *PREPARING,
    *LEAVING,
    *COMING_BACK,
    *ADOPTING,
    *RENEWING,
    *GOING_BACK,
    *STRANDED,
)
"""All of these; compared with the code by `test_crash_points`."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "points", in_a_row_and_alone(EVERY_STEP) if LONG else [EVERY_STEP, *([one] for one in EFFECTS)]
)
def test_agents_killed_on_the_way_forward_arrive_and_do_nothing_twice(points: Sequence[str], scene: Scene) -> None:
    built = scene.release()
    starts = {host.name: host.web.starts for host in scene.victims}
    with scene.fleet.load(clients=1) as load:
        ends = scene.say(Goal.SERVING, built, points)
        load.after(5)
    assert load.failures == []
    for host, end in zip(scene.victims, ends, strict=True):
        assert (end.outcome, end.proven, end.out_by_us, end.trouble) == (Outcome.DONE, built.ref, False, None)
        assert (host.web.live, host.web.answers) == (built.ref.id, built.ref.version)
        assert host.web.starts == [*starts[host.name], built.ref.version]
        assert scene.noted(host, built) == ["pre_activate", "post_activate", "post_return"]
    assert scene.fleet.in_service() == ALL


@pytest.mark.timeout(300)
@pytest.mark.parametrize("points", in_a_row_and_alone(GOING_BACK))
def test_agents_killed_on_the_way_back_still_bring_the_old_release_back_once(
    points: Sequence[str], scene: Scene
) -> None:
    built = scene.release(failing="post_activate")
    before = {host.name: (host.web.live, host.web.answers, host.web.starts) for host in scene.victims}
    with scene.fleet.load(clients=1) as load:
        ends = scene.say(Goal.SERVING, built, points)
        load.after(5)
    assert load.failures == []
    for host, end in zip(scene.victims, ends, strict=True):
        live, version, starts = before[host.name]
        assert (end.outcome, end.out_by_us) == (Outcome.REVERTED, False)
        assert end.trouble is not None
        assert end.trouble.rule == "hook-failed"
        assert (host.web.live, host.web.answers) == (live, version)
        assert host.web.starts == [*starts, built.ref.version, version]
        assert scene.noted(host, built) == ["pre_activate", "post_activate"]
    assert scene.fleet.in_service() == ALL


@pytest.mark.parametrize("stage", HOOKS_RUN)
def test_a_hook_that_may_have_run_is_not_run_again_and_the_host_goes_back(stage: Stage, scene: Scene) -> None:
    built = scene.release()
    before = {host.name: (host.web.live, host.web.answers, host.web.starts) for host in scene.victims}
    with scene.fleet.load(clients=1) as load:
        ends = scene.say(Goal.SERVING, built, around(Way.FORWARD, [stage]))
        load.after(5)
    assert load.failures == []
    ran = HOOKS_RUN[: HOOKS_RUN.index(stage)]
    for host, end, noted in zip(scene.victims, ends, (ran, [*ran, stage]), strict=True):
        live, version, starts = before[host.name]
        begun = stage is not Stage.PRE_ACTIVATE
        assert end.outcome is (Outcome.REVERTED if begun else Outcome.FAILED)
        assert end.trouble is not None
        assert end.trouble.rule == "hook-interrupted"
        assert (host.web.live, host.web.answers) == (live, version)
        assert host.web.starts == [*starts, *((built.ref.version, version) if begun else ())]
        assert scene.noted(host, built) == [one.replace("-", "_") for one in noted]
    assert scene.fleet.in_service() == ALL


def test_where_a_release_has_no_hooks_deaths_at_them_turn_nothing_back(scene: Scene) -> None:
    built = scene.release(hooks=False)
    ends = scene.say(Goal.SERVING, built, around(Way.FORWARD, HOOKS_RUN))
    for host, end in zip(scene.victims, ends, strict=True):
        assert (end.outcome, end.trouble) == (Outcome.DONE, None)
        assert host.web.answers == built.ref.version
        assert host.web.starts.count(built.ref.version) == 1
    assert scene.fleet.in_service() == ALL


@pytest.mark.parametrize("points", in_a_row_and_alone(PREPARING))
def test_agents_killed_while_they_prepare_prepare_and_change_nothing_else(points: Sequence[str], scene: Scene) -> None:
    built = scene.release()
    before = [(host.web.live, host.web.starts) for host in scene.victims]
    ends = scene.say(Goal.PREPARED, built, points)
    assert [end.outcome for end in ends] == [Outcome.DONE, Outcome.DONE]
    for host in scene.victims:
        assert (host.web.root / "releases" / built.ref.id / "bin" / "start").exists()
        assert scene.noted(host, built) == []
    assert [(host.web.live, host.web.starts) for host in scene.victims] == before


@pytest.mark.parametrize("leaving", in_a_row_and_alone(LEAVING))
@pytest.mark.parametrize("coming", in_a_row_and_alone(COMING_BACK))
def test_agents_killed_while_their_hosts_leave_and_come_back_restart_nothing(
    leaving: Sequence[str], coming: Sequence[str], scene: Scene
) -> None:
    serving, starts = scene.serving, [host.web.starts for host in scene.victims]
    left = scene.say(Goal.OUT, serving, leaving)
    assert [(end.outcome, end.out_by_us) for end in left] == [(Outcome.DONE, True)] * 2
    assert scene.fleet.in_service() == {"web-3"}
    back = scene.say(Goal.SERVING, serving, coming)
    assert [(end.outcome, end.out_by_us) for end in back] == [(Outcome.DONE, False)] * 2
    assert scene.fleet.in_service() == ALL
    assert [host.web.starts for host in scene.victims] == starts


@pytest.mark.timeout(300)
@pytest.mark.parametrize("points", in_a_row_and_alone(RENEWING))
def test_agents_killed_while_they_restart_an_old_release_for_comparison_serve_it_again_after_one_restart(
    points: Sequence[str], scene: Scene
) -> None:
    serving, before = scene.serving, {host.name: (host.web.live, host.web.starts) for host in scene.victims}
    with scene.fleet.load(clients=1) as load:
        ends = scene.say(Goal.SERVING, serving, points, restart_for=f"a rollout {uuid4()}")
        load.after(5)
    assert load.failures == []
    for host, end in zip(scene.victims, ends, strict=True):
        live, starts = before[host.name]
        assert (end.outcome, end.proven, end.out_by_us, end.trouble) == (Outcome.DONE, serving.ref, False, None)
        assert (host.web.live, host.web.answers) == (live, serving.ref.version)
        assert host.web.starts == [*starts, serving.ref.version]
    assert scene.fleet.in_service() == ALL


@pytest.mark.timeout(300)
@later
@pytest.mark.parametrize("points", in_a_row_and_alone(ADOPTING))
def test_agents_without_a_journal_that_are_killed_while_they_take_over_what_runs_restart_nothing(
    points: Sequence[str], scene: Scene
) -> None:
    serving, starts = scene.serving, [host.web.starts for host in scene.victims]
    for host in scene.victims:
        host.stop_agent()
        (host.state_dir / "apps" / "web.json").unlink()
        host.start_agent()
    with scene.fleet.load(clients=1) as load:
        ends = scene.say(Goal.SERVING, serving, points)
        load.after(5)
    assert load.failures == []
    assert [(end.outcome, end.proven, end.out_by_us) for end in ends] == [(Outcome.DONE, serving.ref, False)] * 2
    assert [host.web.starts for host in scene.victims] == starts
    assert scene.fleet.in_service() == ALL


@pytest.mark.timeout(300)
@later
def test_agents_killed_at_every_step_of_a_stranded_host_bring_it_back_once_its_app_is_well(scene: Scene) -> None:
    serving, starts = scene.serving, [host.web.starts for host in scene.victims]
    for host in scene.victims:
        host.web.behave("deaf")  # from its next start on, which is the one that is asked for

    def heal() -> None:
        assert scene.fleet.in_service() == {"web-3"}
        for host in scene.victims:
            host.web.behave()

    heals = {f"around:{Way.STRANDED}:{Stage.PROVE}": heal}
    with scene.fleet.load(clients=1) as load:
        ends = scene.say(Goal.SERVING, serving, STRANDED, restart_for=f"a drill on {serving.ref.id}", then=heals)
        load.after(5)
    assert load.failures == []
    for end in ends:
        assert (end.outcome, end.proven, end.out_by_us, end.trouble) == (Outcome.DONE, serving.ref, False, None)
    version = serving.ref.version
    assert [host.web.starts for host in scene.victims] == [[*before, version, version] for before in starts]
    assert scene.fleet.in_service() == ALL
