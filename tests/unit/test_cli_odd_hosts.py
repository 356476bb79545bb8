"""What a person sees and types about hosts that are away or astray, against the real API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from starlette.testclient import TestClient

from noonday_coordinator.api.app import make_app
from noonday_coordinator.cli.main import main
from noonday_coordinator.cli.session import Seams
from noonday_coordinator.core import events as e
from noonday_coordinator.core.policy import Policy
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef
from support.fake_clock import FakeClock
from support.fake_engine import TOKEN, FakeEngine, close_context, make_context
from support.into_app import IntoApp
from support.noonday_command import own_home, said

__all__ = ["own_home"]
pytestmark = pytest.mark.usefixtures("own_home")

HOSTS = ("web-1", "web-2", "web-3")


@dataclass
class Fleet:
    engine: FakeEngine
    transport: IntoApp
    clock: FakeClock
    policy: Path
    refs: dict[str, ReleaseRef]

    def noonday(self, *args: str) -> Result:
        return CliRunner().invoke(main, args, obj=Seams(self.transport, self.clock), env={"NOONDAY_TOKEN": TOKEN})

    def away(self, host: str) -> None:
        """It is not heard for a minute; the others are."""
        self.clock.move(60)
        for name in HOSTS:
            if name != host:
                self.engine.hear(name)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Three servers on 1.0.0, brought there by r1; 1.1.0 and 1.2.0 are pushed."""
    clock = FakeClock()
    context = make_context(tmp_path, clock, SigningKey.new())
    engine = context.engine
    assert isinstance(engine, FakeEngine)
    refs = {version: engine.push(version) for version in ("1.0.0", "1.1.0", "1.2.0")}
    for host in HOSTS:
        engine.serve(host, "web", refs["1.0.0"])
    policy = Policy(app="web", hosts={"role": "web"})
    engine.keep(
        e.RolloutStarted("r1", "web", "deploy", refs["1.0.0"], None, policy, (HOSTS,)),
        e.RolloutEnded("r1", e.End.DONE, "all serve it"),
    )
    with TestClient(make_app(context)) as client:
        yield Fleet(engine, IntoApp(client), clock, context.config.apps_dir / "web.toml", refs)
    close_context(context)


def test_a_host_that_is_left_out_is_in_the_plan_in_the_end_and_in_the_exit_status(fleet: Fleet) -> None:
    fleet.policy.write_text(fleet.policy.read_text() + 'offline = "skip"\n')
    fleet.away("web-3")
    plan = fleet.noonday("deploy", "web", "1.1.0", "--plan")
    assert "left out  web-3: offline, last seen 60 s ago" in plan.stdout, said(plan)
    begun = fleet.noonday("deploy", "web", "1.1.0", "--yes", "--no-wait")
    assert "web-3 is left out: offline, last seen 60 s ago" in begun.stdout, said(begun)
    fleet.engine.keep(e.RolloutEnded("r2", e.End.DONE, "2 of 3 hosts serve 1.1.0. Left out: web-3."))
    shown = fleet.noonday("show", "r2", "--follow")
    assert shown.exit_code == 6, said(shown)
    assert "serves on all hosts but those left out" in shown.stdout
    (host,) = (one for one in json.loads(fleet.noonday("show", "r2", "--json").stdout)["hosts"] if one["wave"] < 0)
    assert (host["host"], host["state"]) == ("web-3", "skipped")


def test_a_rollout_that_ended_while_a_host_had_another_release_again_is_only_partly_done(fleet: Fleet) -> None:
    begun = fleet.noonday("deploy", "web", "1.1.0", "--yes", "--no-wait")
    assert begun.exit_code == 0, said(begun)
    told = "2 of 3 hosts serve 1.1.0. web-1 serves 1.0.0 again."
    fleet.engine.keep(e.RolloutEnded("r2", e.End.DONE, told, {"web-1": "serves 1.0.0 again"}))
    shown = fleet.noonday("show", "r2", "--follow")
    assert shown.exit_code == 6, said(shown)
    assert "serves on all hosts but those left out" in shown.stdout
    assert json.loads(fleet.noonday("show", "r2", "--json").stdout)["left_out"] == {"web-1": "serves 1.0.0 again"}


def test_a_host_that_was_changed_by_hand_is_shown_and_mended_when_asked(fleet: Fleet) -> None:
    report = fleet.engine.state.hosts["web-2"].app("web").report
    assert report is not None
    fleet.engine.keep(e.HostReported("web-2", "web", replace(report, live=fleet.refs["1.2.0"].id, seq=2)), by="web-2")
    why = "web-2 serves 1.2.0 instead of 1.0.0: changed by hand, since 1.0.0 was last proven there"
    assert f"{why}. See: noonday reconcile web --plan" in fleet.noonday("hosts").stdout
    assert f"web: {why}. Mend: noonday reconcile web" in fleet.noonday("status").stdout
    before = len(fleet.engine.log.read())
    for args in (("reconcile", "web", "--plan"), ("reconcile", "--plan")):
        plan = fleet.noonday(*args)
        assert plan.exit_code == 0, said(plan)
        assert "it goes to 1.0.0" in plan.stdout
    assert fleet.noonday("reconcile", "web").exit_code == 2  # nobody can be asked here
    assert len(fleet.engine.log.read()) == before
    begun = fleet.noonday("reconcile", "web", "--yes", "--no-wait")
    assert begun.exit_code == 0, said(begun)
    assert "Homecoming r2 of web 1.0.0 began on web-2." in begun.stdout
    assert fleet.engine.state.rollouts["r2"].by == "alice"


def test_what_can_not_be_mended_now_has_a_status_of_its_own(fleet: Fleet) -> None:
    fleet.engine.serve("web-3", "web", fleet.refs["1.2.0"])
    fleet.away("web-3")
    ran = fleet.noonday("reconcile", "web", "--yes")
    assert ran.exit_code == 6, said(ran)
    assert "web-3  not now: not heard, last seen 60 s ago: noonday doctor" in ran.stdout


def test_nothing_to_mend_is_said_and_an_app_with_a_rollout_is_left_out(fleet: Fleet) -> None:
    ran = fleet.noonday("reconcile", "--yes")
    assert (ran.exit_code, ran.stdout) == (0, "Nothing to do: every host of web serves 1.0.0.\n")
    fleet.noonday("deploy", "web", "1.1.0", "--yes", "--no-wait")
    ran = fleet.noonday("reconcile", "--plan")
    assert (ran.exit_code, ran.stderr) == (0, "web is left out: r2 is under way.\n")


def test_a_newer_version_takes_over_only_when_asked_to(fleet: Fleet) -> None:
    fleet.noonday("deploy", "web", "1.1.0", "--yes", "--no-wait")
    refused = fleet.noonday("deploy", "web", "1.2.0", "--yes")
    assert refused.exit_code == 2
    assert "--supersede" in refused.stderr
    plan = fleet.noonday("deploy", "web", "1.2.0", "--supersede", "--plan")
    assert "it takes over from r2 (1.1.0, preparing)" in plan.stdout, said(plan)
    begun = fleet.noonday("deploy", "web", "1.2.0", "--supersede", "--yes", "--no-wait")
    assert begun.exit_code == 0, said(begun)
    assert begun.stdout.count("Superseded: superseded by 1.2.0, which alice asked for.") == 1
    ended = fleet.noonday("show", "r2", "--follow")
    assert ended.exit_code == 4, said(ended)
    assert "Superseded: web 1.1.0" in ended.stdout
    assert fleet.engine.state.app("web").active == "r3"


def test_one_that_waits_too_long_to_be_told_again_is_named_with_who_is_out(fleet: Fleet) -> None:
    engine, old, new = fleet.engine, fleet.refs["1.0.0"], fleet.refs["1.1.0"]
    policy = Policy(app="web", hosts={"role": "web"}, host_within=100)
    engine.keep(
        e.RolloutStarted("r2", "web", "deploy", new, old, policy, (HOSTS,)),
        e.Assigned("web-2", "web", 900, Goal.SERVING, old, rollout="r2", deadline=100),
        e.HostJudged("r2", "web-2", "lost", "it was not heard"),
        e.RolloutEnded("r2", e.End.FAILED, "web-2 could not be brought back."),
    )
    engine.serve("web-2", "web", new)
    report = engine.state.hosts["web-1"].app("web").report
    assert report is not None
    engine.keep(e.HostReported("web-1", "web", replace(report, in_service=False, seq=2)), by="web-1")
    for _ in range(4):
        fleet.away("web-9")
    why = "web-2 was to serve web 1.0.0 240 s ago, and did not take it up: web-1 is out of service."
    for command in ("status", "hosts", "doctor"):
        shown = fleet.noonday(command)
        assert why in " ".join(shown.stdout.split()), said(shown)
