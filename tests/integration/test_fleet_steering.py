"""A person steers a rollout on a real fleet: promote, pause, resume, abort, roll back, unblock."""

from __future__ import annotations

from support.eventually import eventually
from support.fleet import Fleet


def examined(fleet: Fleet, version: str) -> str:
    """A rollout whose canary serves `version` and is examined for longer than any test lasts."""
    fleet.policy(examine=600)
    rollout = fleet.begin(version)
    fleet.until(rollout, lambda info: info.stage == "examining", what="the examine")
    assert [host.web.answers == version for host in fleet.hosts] == [True, False]
    return rollout


def test_promote_skips_what_is_left_of_the_examine(fleet: Fleet) -> None:
    version = fleet.push()
    rollout = examined(fleet, version)
    fleet.ok("promote", "web")
    assert fleet.ended(rollout).end == "done"
    assert {host.web.answers for host in fleet.hosts} == {version}
    assert fleet.refused("promote", "web").rule == "no-rollout"


def test_a_paused_rollout_drains_nobody_until_it_is_resumed(fleet: Fleet) -> None:
    version = fleet.push()
    rollout = examined(fleet, version)
    fleet.ok("pause", "web", "--why", "the database moves")
    assert fleet.refused("pause", "web").rule == "paused"
    fleet.ok("promote", "web", "--why", "it was examined long enough")
    heard = fleet.told("web-1").reported_at
    with fleet.load() as load:
        load.after(100)
    assert fleet.rollout(rollout).paused_by == "admin"
    assert fleet.host("web-2").web.answers != version, f"nothing more since {heard}"
    fleet.ok("resume", "web", "--why", "it has moved")
    assert fleet.ended(rollout).end == "done"
    assert fleet.host("web-2").web.answers == version
    history = fleet.cli("history", "web").out
    for words in ("It was paused: the database moves.", "It goes on: it has moved.", "it was examined long enough."):
        assert words in history


def test_an_aborted_rollout_goes_back_and_its_release_is_not_blocked(fleet: Fleet) -> None:
    before = fleet.host("web-1").web.answers
    version = fleet.push()
    rollout = examined(fleet, version)
    with fleet.load() as load:
        fleet.ok("abort", "web", "--why", "lunch")
        end = fleet.ended(rollout)
        load.after(10)
    assert end.end == "aborted"
    assert "lunch" in end.reason
    assert load.failures == []
    assert {host.web.answers for host in fleet.hosts} == {before}
    fleet.policy()
    assert fleet.deploy(version).end == "done"


def test_a_rollback_in_the_middle_blocks_the_release_until_a_person_unblocks_it(fleet: Fleet) -> None:
    before = fleet.host("web-1").web.answers
    version = fleet.push()
    rollout = examined(fleet, version)
    done = fleet.cli("rollback", "web", "--yes", "--why", "slow pages")
    assert done.exit == 0, done
    end = fleet.rollout(rollout)
    assert end.end == "rolled-back"
    assert "slow pages" in end.reason
    assert {host.web.answers for host in fleet.hosts} == {before}
    fleet.policy()
    refusal = fleet.refused("deploy", "web", version, "--yes")
    assert refusal.rule == "blocked"
    assert "slow pages" in refusal.text
    fleet.ok("release", "unblock", "web", version, "--why", "it was the network")
    assert fleet.deploy(version).end == "done"


def test_a_rollback_afterwards_goes_straight_back_without_canary_or_download(fleet: Fleet) -> None:
    current = fleet.app().current
    assert current is not None
    version = fleet.push()
    fleet.policy(examine=600, gates=["canary"])
    rollout = fleet.begin(version)
    fleet.until(rollout, lambda info: info.stage == "examining", what="the examine")
    fleet.ok("promote", "web")
    fleet.until(rollout, lambda info: info.stage == "gate", what="the gate")
    fleet.ok("promote", "web")
    assert fleet.ended(rollout).end == "done"
    for file in (fleet.folder / "noonday" / "data" / "artifacts" / "web").glob(f"web-{current.version}-*"):
        file.unlink()
    with fleet.load() as load:
        done = fleet.noonday("rollback", "web", "--yes")
        load.after(10)
    assert done.exit == 0, done
    assert load.failures == []
    assert {host.web.answers for host in fleet.hosts} == {current.version}
    assert fleet.app().current == current


def test_a_rollout_that_waits_at_a_gate_ends_a_ci_job_with_its_question(fleet: Fleet) -> None:
    fleet.policy(gates=["canary"])
    done = fleet.noonday("deploy", "web", fleet.push(), "--yes")
    assert done.exit == 5, done
    assert "noonday promote web" in done.out + done.err
    rollout = fleet.app().rollout
    fleet.ok("promote", "web")
    assert fleet.cli("show", rollout, "--follow").exit == 0
    eventually(lambda: fleet.app().rollout == "", what="the end of the rollout")
