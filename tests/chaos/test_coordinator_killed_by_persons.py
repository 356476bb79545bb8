"""A coordinator killed by SIGKILL right after it kept what a person asked for, before anybody had an answer.

Started again, it has done it once: what is kept happened, and whoever asks again is told so.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Sequence

import pytest
from chaos.caught import ALL, LONG, starts

from noonday_coordinator.api import models as m
from noonday_coordinator.api.models_evidence import Caveats
from noonday_coordinator.core import events as e
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_commands import WITHIN
from support.told_events import kept

pytestmark = pytest.mark.timeout(400)

POINTS = (
    "kept:HostDrained",
    "kept:Assigned:out",
    "said:out",
    "kept:HostUndrained",
    "kept:StageEntered:preparing",
    "kept:HostReported",
    "kept:StageEntered:gate",
    "kept:Paused",
    "kept:Resumed",
    "kept:Promoted",
    "kept:AbortRequested",
    "kept:RollbackRequested",
    "kept:ReleasePushed",
    "kept:ReleaseUnblocked",
    "kept:HostEnrolled",
    "kept:HostRemoved",
    "kept:CaveatMarked",
    "kept:CaveatForgotten",
    "kept:LogsWatched",
    "kept:HostJudged:failed",
    "kept:Asked",
)
"""Where it dies here; compared with the code by `test_crash_points`."""

PATIENCE = 300
later = pytest.mark.skipif(not LONG, reason="takes half a minute: make chaos")


@later
def test_a_host_is_drained_and_let_back_in_through_every_death_of_the_coordinator(fleet: Fleet) -> None:
    before = starts(fleet)
    with fleet.load(clients=1) as load:
        dies_at(fleet, "kept:HostDrained", act=lambda: fleet.cli("drain", "web-3"))
        for point in ("kept:Assigned:out", "said:out"):
            fleet.cli("undrain", "web-3")
            eventually(lambda: fleet.in_service() == ALL, what="web-3 back", within=WITHIN)
            eventually(lambda: fleet.told("web-3").phase == "settled", what="web-3 settled", within=WITHIN)
            dies_at(fleet, point, act=lambda: fleet.cli("drain", "web-3"))
        eventually(lambda: fleet.in_service() == ALL - {"web-3"}, what="web-3 out", within=WITHIN)
        assert fleet.refused("drain", "web-3").rule == "drained"
        dies_at(fleet, "kept:HostUndrained", act=lambda: fleet.cli("undrain", "web-3"))
        eventually(lambda: fleet.in_service() == ALL, what="web-3 back", within=WITHIN)
        load.after(5)
    assert load.failures == []
    assert starts(fleet) == before


@later
def test_a_rollout_is_steered_through_every_death_of_the_coordinator(fleet: Fleet) -> None:
    fleet.policy(gates=["canary"], prepare_within=PATIENCE, host_within=PATIENCE)
    version, before = fleet.push(), starts(fleet)
    points = ("kept:StageEntered:preparing", "kept:HostReported", "kept:StageEntered:gate")
    dies_at(fleet, *points, act=lambda: fleet.cli("deploy", "web", version, "--yes", "--no-wait"))
    dies_at(fleet, "kept:Paused", act=lambda: fleet.cli("pause", "web"))
    assert fleet.refused("pause", "web").rule == "paused"
    dies_at(fleet, "kept:Resumed", act=lambda: fleet.cli("resume", "web"))
    assert fleet.refused("resume", "web").rule == "not-paused"
    dies_at(fleet, "kept:Promoted", act=lambda: fleet.cli("promote", "web"))
    end = fleet.ended(_newest(fleet))
    assert end.end == "done", end.reason
    assert starts(fleet) == {host: [*earlier, version] for host, earlier in before.items()}
    _kept_once(fleet, end.id, e.Paused, e.Resumed, e.Promoted, e.RolloutStarted)


@later
@pytest.mark.parametrize(("point", "verb", "ending"), [
    ("kept:AbortRequested", "abort", "aborted"),
    ("kept:RollbackRequested", "rollback", "rolled-back"),
])  # fmt: skip
def test_a_rollout_is_turned_back_by_a_person_whose_answer_was_lost(
    point: str, verb: str, ending: str, fleet: Fleet
) -> None:
    fleet.policy(gates=["canary"], prepare_within=PATIENCE, host_within=PATIENCE)
    version, before, old = fleet.push(), starts(fleet), fleet.app().current
    assert old is not None
    rollout = fleet.begin(version)
    fleet.until(rollout, lambda info: info.stage == "gate", what="the gate")
    options = ("--yes", "--no-wait") if verb == "rollback" else ()
    dies_at(fleet, point, act=lambda: fleet.cli(verb, "web", *options))
    end = fleet.ended(rollout)
    assert end.end == ending, end.reason
    assert starts(fleet) == {**before, "web-1": [*before["web-1"], version, old.version]}
    assert fleet.in_service() == ALL
    _kept_once(fleet, rollout, e.AbortRequested if verb == "abort" else e.RollbackRequested)
    if verb == "rollback":
        why = ("release", "unblock", "web", version, "--why", "it was a drill")
        dies_at(fleet, "kept:ReleaseUnblocked", act=lambda: fleet.cli(*why))
        assert fleet.refused(*why).rule == "not-blocked"


@later
def test_what_people_note_is_there_after_the_death_of_the_coordinator(fleet: Fleet) -> None:
    version, archive = fleet.build()
    dies_at(fleet, "kept:ReleasePushed", act=lambda: fleet.cli("release", "push", str(archive)))
    assert version in fleet.cli("release", "list", "web").out
    fleet.ok("release", "push", str(archive))
    dies_at(fleet, "kept:HostEnrolled", act=lambda: fleet.cli("enroll", "web-8", "--label", "role=spare"))
    assert "web-8" in [host.host for host in fleet.get("/hosts", m.Hosts).hosts]
    dies_at(fleet, "kept:HostRemoved", act=lambda: fleet.cli("remove", "web-8"))
    assert "web-8" not in [host.host for host in fleet.get("/hosts", m.Hosts).hosts]
    key = _known_error(fleet)
    mute = ("caveats", "mute", "web", key, "--reason", "it was a drill")
    dies_at(fleet, "kept:CaveatMarked", act=lambda: fleet.cli(*mute))
    assert "it was a drill" in fleet.cli("caveats", "list", "web").out
    dies_at(fleet, "kept:CaveatForgotten", act=lambda: fleet.cli("caveats", "forget", "web", key))
    assert "it was a drill" not in fleet.cli("caveats", "list", "web").out
    dies_at(fleet, "kept:LogsWatched", act=lambda: fleet.cli("logs", "web"))
    assert fleet.in_service() == ALL


@later
def test_a_question_is_asked_once_whatever_dies(fleet: Fleet) -> None:
    fleet.policy(on_regression="ask", prepare_within=PATIENCE, host_within=PATIENCE)
    hook = {"hooks/pre": "#!/bin/sh\nexit 1\n"}
    version, before = fleet.push(toml='[hooks]\npre_activate = "hooks/pre"\n', files=hook), starts(fleet)
    dies_at(fleet, "kept:HostJudged:failed", act=lambda: fleet.cli("deploy", "web", version, "--yes", "--no-wait"))
    rollout = _newest(fleet)
    fleet.until(rollout, lambda info: info.asked, what="the question")
    _kept_once(fleet, rollout, e.Asked)
    fleet.cli("abort", "web")
    end = fleet.until(rollout, lambda info: info.end, what="the end")
    assert end.end == "aborted", end.reason
    again = fleet.push(toml='[hooks]\npre_activate = "hooks/pre"\n', files=hook)
    dies_at(fleet, "kept:Asked", act=lambda: fleet.cli("deploy", "web", again, "--yes", "--no-wait"))
    rollout = _newest(fleet)
    fleet.until(rollout, lambda info: info.asked, what="the question")
    _kept_once(fleet, rollout, e.Asked)
    assert starts(fleet) == before
    assert fleet.in_service() == ALL


def dies_at(fleet: Fleet, *points: str, act: Callable[[], object], but: Sequence[str] = ()) -> None:
    """It dies at each of `points` in what `act` begins, and is started again: until all hosts `but` these are heard."""
    fleet.crash_file.write_text(f"coordinator:{points[0]}")
    act()
    for point, following in zip(points, [*points[1:], ""], strict=True):
        process = fleet.coordinator.process
        assert process is not None
        eventually(_ended(process), what=f"the coordinator's death at {point}", within=WITHIN)
        assert process.returncode == -signal.SIGKILL, fleet.coordinator.log()[-3000:]
        fleet.crash_file.write_text(f"coordinator:{following}")
        fleet.coordinator.begin()
    eventually(lambda: _all_heard(fleet, but), what="a report of every agent", within=WITHIN, every=0.1)


def _ended(process: subprocess.Popen[str]) -> Callable[[], bool]:
    return lambda: process.poll() is not None


def _all_heard(fleet: Fleet, but: Sequence[str]) -> bool:
    silent = {host.host: host.silent for host in fleet.get("/hosts", m.Hosts).hosts if host.last_seen}
    return all(silent.get(host.name, 60.0) < 12 for host in fleet.hosts if host.name not in but)


def _known_error(fleet: Fleet) -> str:
    """The key of an error that the release of record shows."""
    fleet.host("web-1").web.say("ERROR", "the printer is on fire again")

    def seen() -> str:
        found = fleet.get("/apps/web/caveats?known=true", Caveats).caveats
        return next((one.key for one in found if "printer" in one.text), "")

    return eventually(seen, what="the error in the catalogue", within=2 * WITHIN, every=1.0)


def _newest(fleet: Fleet) -> str:
    return fleet.get("/rollouts", m.Rollouts).rollouts[0].id


def _kept_once(fleet: Fleet, rollout: str, *kinds: type[object]) -> None:
    records = kept(fleet.folder / "noonday" / "data" / "events.sqlite")
    for kind in kinds:
        of_it = [one for one in records if isinstance(one.event, kind) and getattr(one.event, "rollout", "") == rollout]
        assert len(of_it) == 1, kind
