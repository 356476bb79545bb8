"""The verdict's first form: what sends a release back, what holds it, and what never does."""

from __future__ import annotations

from typing import Any

import pytest

from noonday_coordinator.core import events as e
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.store.history import Known
from noonday_coordinator.verdict.board import KEPT, Board
from noonday_coordinator.verdict.first_form import FirstForm
from noonday_coordinator.verdict.protocol import Case
from noonday_shared.messages import Evidence, SignatureCount
from noonday_shared.messages.evidence import IDENTITY_VERSION
from noonday_shared.names import ReleaseRef
from support.story import NEW, OLD, OLDER, OTHER, Story


def evidence(host: str, release: ReleaseRef, requests: int = 100, *, order: int = 1, **errors: int) -> Evidence:
    """`errors`: records by signature."""
    return Evidence(
        host=host,
        app="web",
        boot=1,
        epoch=1,
        seq=order,
        release=release.id,
        since=1000.0,
        sent_at=1000.0,
        requests=requests,
        records=requests,
        signatures=tuple(
            SignatureCount(
                key=key, level="ERROR", text=f"{key} went wrong", count=n, first_seen=1000.0, last_seen=1001.0
            )
            for key, n in errors.items()
        ),
    )


def known(key: str, *releases: ReleaseRef) -> Known:
    ids = frozenset(release.id for release in releases)
    return Known(key, "ERROR", f"{key} went wrong", ids, frozenset({"web-1"}), 1.0, 2.0, 9)


class Examined:
    """web-1 serves 1.1.0 and is compared with web-2 and web-3 on 1.0.0."""

    def __init__(self, hosts: int = 3, **changes: Any) -> None:
        self.story = Story(hosts, **changes)
        self.story.deploy()
        self.story.all_take()
        self.story.takes("web-1")
        self.board = Board()
        self.known: dict[str, Known] = {}
        for name in self.story.names[1:]:
            self.board.add(evidence(name, OLD))

    def shows(self, *seen: Evidence) -> Examined:
        for one in seen:
            self.board.add(one)
        return self

    def judgement(self) -> Judgement:
        story, rollout = self.story, self.story.rollout
        return FirstForm().judge(
            Case(
                rollout=rollout,
                app=story.state.app("web"),
                hosts={host.name: host.app("web") for host in story.state.hosts_with(rollout.policy.hosts)},
                new=self.board.of_release(rollout),
                old=self.board.of_others(rollout),
                known=self.known,
                now=story.now,
            )
        )

    def kinds(self) -> list[tuple[str, bool]]:
        return [(finding.kind, finding.blames) for finding in self.judgement().findings]


def test_a_release_that_shows_nothing_new_is_promoted_with_its_requests() -> None:
    judgement = Examined().shows(evidence("web-1", NEW, 40)).judgement()
    assert (judgement.verdict, judgement.requests, judgement.control_requests) == ("promote", 40, 200)
    assert judgement.reason == "nothing is new with 1.1.0"


def test_without_any_evidence_it_holds() -> None:
    judgement = Examined().judgement()
    assert (judgement.verdict, judgement.reason) == ("hold", "no evidence has arrived from the new release yet")


def test_an_error_that_no_old_server_shows_and_none_ever_showed_sends_it_back() -> None:
    judgement = Examined().shows(evidence("web-1", NEW, boom=3)).judgement()
    assert judgement.verdict == "roll back"
    (finding,) = judgement.findings
    assert (finding.kind, finding.blames, finding.counts) == ("new-error", True, {"web-1": 3})
    assert "ERROR new with 1.1.0" in finding.words
    assert "3 records on web-1, never on 2 old servers, nor in the kept history" in finding.words


def test_fewer_records_of_it_than_the_policy_wants_hold_for_a_person() -> None:
    examined = Examined(least_new_errors=5).shows(evidence("web-1", NEW, boom=4))
    assert examined.judgement().verdict == "hold"
    assert examined.kinds() == [("new-error", False)]


def test_records_on_all_new_hosts_count_together() -> None:
    examined = Examined(hosts=4)
    examined.shows(evidence("web-1", NEW, boom=2), evidence("web-2", NEW, order=2, boom=1))
    assert examined.judgement().findings[0].counts == {"web-1": 2, "web-2": 1}
    assert examined.judgement().verdict == "roll back"


def test_an_error_that_an_old_server_shows_now_is_known_however_often_it_comes() -> None:
    examined = Examined().shows(evidence("web-1", NEW, boom=900), evidence("web-3", OLD, order=2, boom=1))
    judgement = examined.judgement()
    assert judgement.verdict == "promote"
    assert "the old release shows it too, on web-3" in judgement.findings[0].words
    assert judgement.reason.startswith("nothing is new with 1.1.0; 1 ")


def test_an_error_that_the_old_release_showed_before_is_known() -> None:
    examined = Examined().shows(evidence("web-1", NEW, boom=9))
    examined.known = {"boom": known("boom", OLD)}
    assert examined.kinds() == [("known-error", False)]
    assert f"{OLD.id} showed it before" in examined.judgement().findings[0].words


@pytest.mark.parametrize("release", [NEW, OTHER], ids=["itself", "a release that never completed a rollout"])
def test_history_of_what_was_never_good_excuses_nothing(release: ReleaseRef) -> None:
    examined = Examined().shows(evidence("web-1", NEW, boom=9))
    examined.known = {"boom": known("boom", release)}
    assert examined.kinds() == [("new-error", True)]


def test_history_of_a_release_from_before_noonday_counts() -> None:
    examined = Examined().shows(evidence("web-1", NEW, boom=9))
    examined.known = {"boom": known("boom", OLDER)}
    assert examined.kinds() == [("known-error", False)]


def test_with_nothing_to_compare_every_error_would_be_new_so_a_person_looks() -> None:
    examined = Examined()
    examined.board = Board()
    examined.shows(evidence("web-1", NEW, boom=50))
    assert examined.judgement().verdict == "hold"
    assert "no old server and no history" in examined.judgement().reason


def test_a_new_release_host_that_is_not_well_for_long_enough_sends_it_back() -> None:
    examined = Examined(unhealthy_for=3).shows(evidence("web-1", NEW))
    examined.story.report("web-1", healthy=False)
    examined.story.now += 2.9
    assert examined.judgement().verdict == "promote"
    examined.story.now += 0.2
    assert examined.judgement().verdict == "roll back"
    assert "health check failing for 3 s on web-1" in examined.judgement().reason


def test_old_servers_that_are_not_well_either_make_it_shared_trouble() -> None:
    examined = Examined().shows(evidence("web-1", NEW))
    for name in ("web-1", "web-2"):
        examined.story.report(name, healthy=False)
    examined.story.now += 10.0
    assert examined.judgement().verdict == "hold"
    assert examined.kinds() == [("shared-trouble", False)]
    assert "not this release" in examined.judgement().reason


def test_a_host_in_the_middle_of_its_own_step_is_no_shared_trouble() -> None:
    examined = Examined(hosts=3).shows(evidence("web-1", NEW))
    examined.story.keep(e.HostJudged(examined.story.rollout.id, "web-2", HostState.WORKING))
    for name in ("web-1", "web-2"):
        examined.story.report(name, healthy=False)
    examined.story.now += 10.0
    assert examined.kinds() == [("hard-limit", True)]


@pytest.mark.parametrize(("restarts", "verdict"), [(1, "promote"), (2, "roll back")])
def test_restarts_that_nobody_asked_for_are_a_loop_from_the_second_on(restarts: int, verdict: str) -> None:
    examined = Examined().shows(evidence("web-1", NEW))
    examined.story.report("web-1", restarts=restarts)
    assert examined.judgement().verdict == verdict


def test_restarts_on_old_servers_too_are_shared_trouble() -> None:
    examined = Examined().shows(evidence("web-1", NEW))
    for name in ("web-1", "web-3"):
        examined.story.report(name, restarts=3)
    assert examined.judgement().verdict == "hold"


def test_what_is_blamed_is_told_first_and_the_same_case_gives_the_same_judgement() -> None:
    examined = Examined().shows(evidence("web-1", NEW, rare=1, boom=9, old=3), evidence("web-2", OLD, order=2, old=1))
    assert examined.kinds() == [("new-error", True), ("known-error", False), ("new-error", False)]
    assert examined.judgement() == examined.judgement()


def test_the_board_keeps_the_newest_evidence_whatever_comes_late() -> None:
    board, story = Board(), Story()
    story.deploy()
    assert board.add(evidence("web-1", NEW, 50, order=5))
    assert not board.add(evidence("web-1", NEW, 40, order=4))
    assert not board.add(evidence("web-1", NEW, 50, order=5))
    assert board.of_release(story.rollout)["web-1"].requests == 50


def test_evidence_by_other_rules_of_identity_is_not_compared() -> None:
    other = evidence("web-1", NEW).model_copy(update={"identity_version": IDENTITY_VERSION + 1})
    assert not Board().add(other)


def test_evidence_from_before_the_rollout_says_nothing_of_it() -> None:
    board, story = Board(), Story()
    story.passing(3600.0)
    story.deploy()
    board.add(evidence("web-1", NEW))
    assert board.of_release(story.rollout) == {}


def test_a_host_counts_as_old_until_it_shows_the_new_release() -> None:
    board, story = Board(), Story()
    story.deploy()
    board.add(evidence("web-1", OLD))
    assert set(board.of_others(story.rollout)) == {"web-1"}
    board.add(evidence("web-1", NEW, order=2))
    assert board.of_others(story.rollout) == {}


def test_only_a_few_releases_of_a_host_are_kept() -> None:
    board, story = Board(), Story()
    story.deploy()
    board.add(evidence("web-1", NEW))
    for n in range(KEPT):
        board.add(evidence("web-1", ReleaseRef(version=f"2.{n}", digest="d" * 64), order=n + 2))
    assert board.of_release(story.rollout) == {}
