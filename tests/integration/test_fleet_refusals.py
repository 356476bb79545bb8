"""What a real fleet refuses before anything begins: said in words, exit status 2, and no host is touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from noonday_coordinator.api import models as m
from support.fleet import Fleet


@contextmanager
def nothing_happens(fleet: Fleet) -> Iterator[None]:
    """No rollout begins, and every app runs on as it did."""
    before = (_rollouts(fleet), [host.web.starts for host in fleet.hosts])
    yield
    assert (_rollouts(fleet), [host.web.starts for host in fleet.hosts]) == before
    assert fleet.in_service() == {host.name for host in fleet.hosts}


def _rollouts(fleet: Fleet) -> int:
    return len(fleet.get("/rollouts?limit=1000", m.Rollouts).rollouts)


def test_a_wrong_token_is_refused_whatever_is_asked(fleet: Fleet) -> None:
    version = fleet.push()
    with nothing_happens(fleet):
        for command in (("deploy", "web", version, "--yes"), ("hosts",), ("drain", "web-1"), ("doctor",)):
            done = fleet.cli(*command, "--json", NOONDAY_TOKEN="wrong")
            assert done.exit in (2, 4), done
            assert "token" in done.out + done.err
        real = fleet.noonday("deploy", "web", version, "--yes", NOONDAY_TOKEN="wrong")
    assert real.exit == 2
    assert "Traceback" not in real.err
    assert real.err.splitlines()[-1].startswith("Next: ")


def test_a_release_that_was_not_pushed_is_refused_and_those_that_were_are_named(fleet: Fleet) -> None:
    pushed = fleet.push()
    built, _ = fleet.build()
    with nothing_happens(fleet):
        refusal = fleet.refused("deploy", "web", built, "--yes")
    assert refusal.rule == "not-pushed"
    assert pushed in refusal.text


def test_a_filter_that_matches_no_host_is_refused_and_never_means_all(fleet: Fleet) -> None:
    version = fleet.push()
    fleet.policy(hosts={"role": "web", "site": "nowhere"})
    with nothing_happens(fleet):
        refusal = fleet.refused("deploy", "web", version, "--yes")
    assert refusal.rule == "no-hosts"
    assert "site=nowhere" in refusal.text
    assert "never means all" in refusal.text


def test_the_only_host_is_released_only_when_the_outage_is_allowed_in_words(fleet: Fleet) -> None:
    version = fleet.push()
    fleet.policy(hosts={"name": "web-1"})
    with nothing_happens(fleet):
        refusal = fleet.refused("deploy", "web", version, "--yes")
    assert refusal.rule == "only-host"
    assert "--allow-outage" in refusal.next_action
    assert fleet.deploy(version, "--allow-outage").end == "done"
    assert fleet.host("web-1").web.answers == version
    assert fleet.host("web-2").web.answers != version


def test_a_policy_that_lets_no_host_be_drained_is_refused_with_the_sum(fleet: Fleet) -> None:
    version = fleet.push()
    fleet.policy(min_healthy="100%")
    with nothing_happens(fleet):
        refusal = fleet.refused("deploy", "web", version, "--yes")
    assert refusal.rule == "no-room"
    assert "2 hosts - min_healthy 100% (2 hosts) = 0 that may be drained" in refusal.text


def test_a_policy_with_an_unknown_key_is_refused_by_its_path_and_nearest_key(fleet: Fleet) -> None:
    version = fleet.push()
    fleet.policy(max_unavailble=1)
    with nothing_happens(fleet):
        refusal = fleet.refused("deploy", "web", version, "--yes")
    assert "apps/web.toml: unknown key max_unavailble (did you mean 'max_unavailable'?)" in refusal.text


def test_the_same_version_again_is_nothing_to_do_and_drains_nothing(fleet: Fleet) -> None:
    version = fleet.push()
    assert fleet.deploy(version).end == "done"
    with nothing_happens(fleet):
        again = fleet.cli("deploy", "web", version, "--yes")
    assert again.exit == 0
    assert "already" in again.out


def test_a_second_rollout_is_refused_by_the_name_of_the_first_and_another_app_goes_on(fleet: Fleet) -> None:
    fleet.policy(gates=["canary"])
    waiting = fleet.begin(fleet.push())
    fleet.until(waiting, lambda info: info.stage == "gate", what="the gate")
    second = fleet.push()
    refusal = fleet.refused("deploy", "web", second, "--yes")
    assert refusal.rule == "rollout-under-way"
    assert waiting in refusal.text
    end = fleet.deploy(fleet.push(app="api"), app="api")
    assert end.end == "done"
    assert {host.apps["api"].answers for host in fleet.hosts} == {end.release.version}
    assert fleet.rollout(waiting).stage == "gate"


def test_what_is_refused_leaves_the_plan_refused_too(fleet: Fleet) -> None:
    fleet.policy(hosts={"role": "db"})
    version = fleet.push()
    with nothing_happens(fleet):
        assert fleet.refused("deploy", "web", version, "--plan").rule == "no-hosts"
    fleet.policy()
    plan = fleet.ok("deploy", "web", version, "--plan")
    assert [sorted(wave) for wave in plan["waves"]] == [["web-1"], ["web-2"]]
