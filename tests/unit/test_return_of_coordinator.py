"""A coordinator that was away for longer than its hosts' deadlines hears them before it gives them up."""

from __future__ import annotations

from noonday_coordinator.core import events as e
from noonday_coordinator.core.decide import decide
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import HostState, State
from noonday_coordinator.core.view import Judgement, View
from noonday_shared.messages import Goal, Outcome, Phase
from noonday_shared.names import ReleaseRef

OLD, NEW = (ReleaseRef(version=version, digest=digit * 64) for version, digit in (("1.0.0", "a"), ("1.1.0", "b")))
POLICY = Policy(app="web", hosts={"role": "web"}, examine=60, examine_most=120, prepare_within=100, host_within=100)
BACK_AT = 10_000.0
BACK = View(since=BACK_AT)


def _state(*more: e.Event) -> State:
    """Two hosts and a rollout that began at 0."""
    events: list[e.Event] = [e.HostEnrolled(host, {"role": "web"}, "key") for host in ("web-1", "web-2")]
    events.append(e.RolloutStarted("r1", "web", "deploy", NEW, OLD, POLICY, (("web-1",), ("web-2",))))
    return fold([e.Record(seq, 0.0, "test", event) for seq, event in enumerate([*events, *more], 1)])


def _told(host: str, goal: Goal) -> e.Assigned:
    return e.Assigned(host, "web", 1 if host == "web-1" else 2, goal, NEW, OLD, "r1", 100.0, observe=True)


def _said(host: str) -> e.HostReported:
    report = e.Report(1, 1, 1, 1 if host == "web-1" else 2, Outcome.DONE, Phase.SETTLED, in_service=True)
    return e.HostReported(host, "web", report)


PREPARING = (
    e.StageEntered("r1", e.Stage.PREPARING, 0, "", 100.0),
    _told("web-1", Goal.PREPARED),
    _told("web-2", Goal.PREPARED),
)
WORKING = (
    e.StageEntered("r1", e.Stage.ROLLING, 0, ""),
    _told("web-1", Goal.SERVING),
    e.HostJudged("r1", "web-1", HostState.WORKING),
)
EXAMINING = (
    *WORKING,
    e.HostJudged("r1", "web-1", HostState.SERVING),
    e.StageEntered("r1", e.Stage.EXAMINING, 0, "", 60.0),
)


def test_hosts_that_prepared_meanwhile_are_heard_before_the_rollout_is_given_up() -> None:
    assert decide(_state(*PREPARING), BACK, BACK_AT + 1) == []
    heard = decide(_state(*PREPARING, _said("web-1"), _said("web-2")), BACK, BACK_AT + 1)
    assert heard == [e.HostJudged("r1", host, HostState.PREPARED) for host in ("web-1", "web-2")]


def test_hosts_that_stay_silent_after_the_return_are_given_up() -> None:
    (ended,) = decide(_state(*PREPARING), BACK, BACK_AT + POLICY.unreachable_after)
    assert isinstance(ended, e.RolloutEnded)
    assert ended.end is e.End.FAILED


def test_a_host_that_ended_its_step_meanwhile_is_not_taken_for_a_failed_one() -> None:
    assert decide(_state(*WORKING), BACK, BACK_AT + 1) == []
    assert decide(_state(*WORKING, _said("web-1")), BACK, BACK_AT + 1) == [
        e.HostJudged("r1", "web-1", HostState.SERVING)
    ]


def test_a_working_host_that_stays_silent_after_the_return_has_failed() -> None:
    (judged,) = decide(_state(*WORKING), BACK, BACK_AT + 60)
    assert isinstance(judged, e.HostJudged)
    assert judged.state == HostState.FAILED


def test_an_examine_that_ran_out_meanwhile_waits_for_evidence_before_it_asks_a_person() -> None:
    assert decide(_state(*EXAMINING), BACK, BACK_AT + 1) == []
    enough = {"r1": Judgement("promote", "nothing is new", requests=1000)}
    verdict, *_ = decide(_state(*EXAMINING), View(since=BACK_AT, judgements=enough), BACK_AT + 1)
    assert isinstance(verdict, e.VerdictReached)
    (asked,) = decide(_state(*EXAMINING), BACK, BACK_AT + POLICY.unreachable_after)
    assert isinstance(asked, e.Asked)
