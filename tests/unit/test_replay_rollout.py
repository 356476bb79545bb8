from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from starlette.testclient import TestClient

from bench.verdict.world import NEW, OLD, START, Fault, Knobs, World, default_policy, error_kind, make_world
from noonday_coordinator.api.app import make_app
from noonday_coordinator.api.context import Context
from noonday_coordinator.cli.main import main
from noonday_coordinator.cli.session import Seams
from noonday_coordinator.core import events as e
from noonday_coordinator.core.decide import decide
from noonday_coordinator.core.view import View
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.session import RolloutSession
from noonday_coordinator.verdict.window import Window
from noonday_shared.keys import SigningKey
from support.fake_clock import FakeClock
from support.fake_engine import TOKEN, FakeEngine, close_context, make_context
from support.into_app import IntoApp
from support.noonday_command import own_home, said

__all__ = ["own_home"]
pytestmark = pytest.mark.usefixtures("own_home")

KNOBS = Knobs(seed=3, kinds=6, history=300.0, length=200.0, per_minute=120.0)
KIND = error_kind(0.2)


class Live:
    """A rollout as the coordinator sees it through: windows are kept and judged, and what is decided is recorded."""

    def __init__(self, context: Context, clock: FakeClock, world: World) -> None:
        assert isinstance(context.engine, FakeEngine)
        self.context, self.engine, self.clock, self.world = context, context.engine, clock, world
        self.transport = IntoApp(TestClient(make_app(context)))
        self.id = "r1"

    def begin(self) -> None:
        for host in self.world.rollout.members:
            self.engine.serve(host, "web", OLD)
        rollout = self.world.rollout
        self.keep(e.RolloutStarted(self.id, "web", "deploy", NEW, OLD, rollout.policy, rollout.waves))
        trial = replace(self.world.trial, rollout=self.engine.state.rollouts[self.id])
        self.context.windows.keep(trial)
        self.session = RolloutSession(trial)
        self.keep(e.StageEntered(self.id, e.Stage.ROLLING, 0, "all hosts are prepared"))
        self.engine.serve("web-1", "web", NEW)
        self.keep(e.HostJudged(self.id, "web-1", "serving"))
        deadline = START + rollout.policy.examine
        self.keep(e.StageEntered(self.id, e.Stage.EXAMINING, 0, "web-1 serves it", deadline))

    def go(self, windows: list[Window]) -> None:
        for window in windows:
            self.clock.move(window.ends - self.clock.now())
            self.context.windows.append("web", [window], {}, rollout=self.id, at=window.ends)
            self.session.advance(window)
            state, now = self.engine.state, self.clock.now()
            rollout = state.rollouts[self.id]
            if rollout.stage is not e.Stage.EXAMINING:
                continue
            hosts = {host.name: host.app("web") for host in state.hosts_with(rollout.policy.hosts)}
            judgement = self.session.judgement(rollout, hosts, now)
            self.keep(*decide(state, View(judgements={self.id: judgement}, since=START), now))

    def keep(self, *events: e.Event) -> None:
        # Things are written a moment after they were decided.
        self.clock.move(0.01)
        self.engine.keep(*(one for one in events if not isinstance(one, e.Assigned)))

    def replay(self, *args: str) -> Result:
        seams = Seams(self.transport, self.clock)
        return CliRunner().invoke(main, ["replay", *args], obj=seams, env={"NOONDAY_TOKEN": TOKEN})


@pytest.fixture
def context(tmp_path: Path) -> Iterator[tuple[Context, FakeClock]]:
    clock = FakeClock(START - 1)
    context = make_context(tmp_path / "coordinator", clock, SigningKey.new())
    yield context, clock
    close_context(context)


def begun(context: tuple[Context, FakeClock], fault: Fault, **policy: object) -> Live:
    live = Live(*context, make_world(KNOBS, fault, default_policy(**policy)))
    live.begin()
    return live


def told(context: tuple[Context, FakeClock], fault: Fault, **policy: object) -> Live:
    live = begun(context, fault, **policy)
    live.go(live.world.windows)
    return live


@pytest.fixture
def bad(context: tuple[Context, FakeClock]) -> Live:
    return told(context, Fault("new error", kinds=(KIND,)))


def verdict(live: Live) -> e.VerdictReached:
    record = live.context.log.newest(live.id, "verdict-reached")
    assert record is not None
    assert isinstance(record.event, e.VerdictReached)
    return record.event


def policy_file(folder: Path, more: str) -> str:
    path = folder / "other.toml"
    path.write_text(f'app = "web"\nhosts = {{ role = "web" }}\n{more}\n')
    return str(path)


def test_what_was_kept_says_the_same_to_the_last_bit(bad: Live) -> None:
    assert verdict(bad).verdict == "roll back"
    again = bad.replay("r1")
    assert again.exit_code == 0, said(again)
    assert "roll back: the same, bit for bit." in again.stdout
    assert "KeyError in shop/pay.py charge" in again.stdout


def test_a_promoted_release_is_judged_the_same_again(context: tuple[Context, FakeClock]) -> None:
    live = told(context, Fault(), examine=120.0)
    assert verdict(live).verdict == "promote"
    again = live.replay("r1", "--json")
    assert again.exit_code == 0, said(again)
    value = json.loads(again.stdout)
    assert [(one["verdict"], one["again"], one["differs"]) for one in value["kept"]] == [("promote", "promote", [])]
    assert value["verdict"] == "promote"


def test_what_hosts_reported_counts_again_as_it_did_then(context: tuple[Context, FakeClock]) -> None:
    live = begun(context, Fault())
    well = live.engine.state.hosts["web-1"].app("web").report
    assert well is not None
    live.go(live.world.windows[:9])
    live.keep(e.HostReported("web-1", "web", replace(well, seq=2, healthy=False)))
    live.go(live.world.windows[9:])
    assert [one.kind for one in verdict(live).findings if one.blames] == ["hard-limit"]
    again = live.replay("r1")
    assert again.exit_code == 0, said(again)
    assert "health check failing for 10 s on web-1" in again.stdout


def test_a_caveat_counts_again_from_when_a_person_marked_it(context: tuple[Context, FakeClock]) -> None:
    live = begun(context, Fault("new error", kinds=(KIND,)), examine=120.0)
    live.go(live.world.windows[:1])
    live.keep(e.CaveatMarked("web", KIND.key, "muted", "the supplier is slow", rollout="r1"))
    live.go(live.world.windows[1:])
    assert verdict(live).verdict == "promote"
    again = live.replay("r1")
    assert again.exit_code == 0, said(again)
    assert "promote: the same, bit for bit." in again.stdout


def test_what_was_changed_on_disk_is_noticed_and_told(bad: Live) -> None:
    trial = bad.context.windows.trial("r1")
    assert trial is not None
    bad.context.windows.keep(replace(trial, before=trial.before[1:]))
    again = bad.replay("r1")
    assert again.exit_code == 4, said(again)
    assert "roll back: not the same." in again.stdout


def test_another_policy_says_its_own_and_from_when_on(bad: Live, tmp_path: Path) -> None:
    lenient = policy_file(tmp_path, '[[overrides]]\nmatch = "KeyError"\naction = "ignore"')
    again = bad.replay("r1", "--policy", lenient)
    assert again.exit_code == 4, said(again)
    assert "It was decided otherwise at" in again.stdout
    bold = bad.replay("r1", "--policy", policy_file(tmp_path, "sensitivity = 0.5"), "--json")
    assert bold.exit_code == 0, said(bold)
    value = json.loads(bold.stdout)
    assert (value["by_policy"], value["kept"]) == (True, [])
    changes = [one["verdict"] for one in value["changes"]]
    assert changes[-1] == "roll back"
    assert all(a != b for a, b in pairwise(changes))
    assert value["changes"][-1]["at"] <= verdict(bad).judged_at


def test_nothing_is_judged_after_it_went_back(bad: Live) -> None:
    windows = bad.context.windows.of_rollout("r1")
    assert windows[-1].ends > verdict(bad).judged_at + 10
    value = json.loads(bad.replay("r1", "--json").stdout)
    assert value["until"] == verdict(bad).judged_at


def test_a_replay_changes_nothing(bad: Live) -> None:
    before = bad.context.log.read()
    assert bad.replay("r1").stdout == bad.replay("r1").stdout
    assert bad.context.log.read() == before


def test_a_rollout_whose_windows_are_gone_is_refused_in_words(bad: Live) -> None:
    bad.engine.keep(e.RolloutEnded("r1", e.End.ROLLED_BACK, "one new error"))
    rollout = bad.engine.state.rollouts["r1"]
    for number in range(60):
        bad.context.windows.keep(Trial(replace(rollout, id=f"x{number}")))
    gone = bad.replay("r1")
    assert gone.exit_code == 2, said(gone)
    assert "r1 can't be judged again: what was counted in it is not kept any more." in gone.stderr
    assert "noonday findings r1" in gone.stderr
    assert "There is no rollout 'r9'" in bad.replay("r9").stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("least_new_eror = 3", "unknown key least_new_eror"),
        ("sensitivity = 5.0", "sensitivity"),
        ("sensitivity = ", "is not TOML"),
    ],
)
def test_a_policy_file_with_a_mistake_is_refused_before_anything_is_asked(
    bad: Live, tmp_path: Path, text: str, why: str
) -> None:
    refused = bad.replay("r1", "--policy", policy_file(tmp_path, text))
    assert refused.exit_code == 2
    assert why in refused.stderr


def test_a_policy_of_another_app_is_refused(bad: Live, tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text('app = "shop"\nhosts = { role = "web" }\n')
    refused = bad.replay("r1", "--policy", str(path))
    assert refused.exit_code == 2
    assert "The policy is of shop, and r1 is a rollout of web." in refused.stderr


def test_a_rollout_or_logs_must_be_named_and_not_both(bad: Live, tmp_path: Path) -> None:
    for args in ((), ("r1", "--logs", str(tmp_path), str(tmp_path))):
        refused = bad.replay(*args)
        assert refused.exit_code == 2
        assert "replay takes a rollout, or --logs with two folders." in refused.stderr
