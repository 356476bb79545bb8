from __future__ import annotations

import pytest

from noonday_coordinator.core.events import (
    Asked,
    Assigned,
    End,
    HostJudged,
    HostRemoved,
    Paused,
    RolloutEnded,
    Stage,
    StageEntered,
    VerdictReached,
)
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import Judgement
from noonday_shared.messages import Goal
from noonday_shared.names import ReleaseRef
from support.api_rig import FINDING, HOSTS, OLD, Api


def test_a_plan_changes_nothing(fleet: Api) -> None:
    before = len(fleet.engine.log.read())
    plan = fleet.post("/apps/web/plan", {"version": "1.1.0"})
    assert plan["waves"] == [["web-1"], ["web-2", "web-3"]]
    assert (plan["limit"], plan["nothing_to_do"], plan["release"]["version"]) == (1, False, "1.1.0")
    assert plan["hosts"] == list(HOSTS)
    assert plan["seconds"] == 45
    assert len(fleet.engine.log.read()) == before


def test_the_only_host_of_a_fleet_is_planned_for_when_the_outage_was_allowed_in_words(fleet: Api) -> None:
    for host in HOSTS[1:]:
        fleet.delete(f"/hosts/{host}")
    assert fleet.post("/apps/web/plan", {"version": "1.1.0"}, 409)["rule"] == "only-host"
    assert fleet.post("/apps/web/plan", {"version": "1.1.0", "allow_outage": True})["waves"] == [["web-1"]]


def test_a_rollout_that_has_nothing_to_do_says_so(fleet: Api) -> None:
    ref = fleet.engine.state.app("web").releases["1.1.0"].ref
    for host in HOSTS:
        fleet.engine.serve(host, "web", ref)
    began = fleet.post("/apps/web/rollouts", {"version": "1.1.0"})
    assert (began["rollout"], began["nothing_to_do"]) == (None, True)
    assert began["words"] == "Every host of web serves 1.1.0 already."


def test_an_edited_policy_counts_for_the_next_plan(fleet: Api) -> None:
    path = fleet.context.config.apps_dir / "web.toml"
    path.write_text(path.read_text() + "canary = 2\n")
    assert fleet.post("/apps/web/plan", {"version": "1.1.0"})["waves"] == [["web-1", "web-2"], ["web-3"]]
    path.write_text("canry = 2\n")
    assert str(path) in fleet.post("/apps/web/plan", {"version": "1.1.0"}, 400)["text"]


def test_who_began_a_rollout_is_who_the_token_names(rolling: Api) -> None:
    assert rolling.get("/rollouts/r1")["by"] == "alice"
    (short,) = rolling.get("/rollouts?app=web")["rollouts"]
    assert (short["id"], short["kind"], short["stage"], short["end"]) == ("r1", "deploy", "preparing", None)
    rolling.headers = {"Authorization": "Bearer bob's"}
    rolling.post("/apps/web/pause")
    assert rolling.get("/rollouts/r1")["paused_by"] == "bob"
    assert rolling.get("/rollouts/r1")["waiting_for"].startswith("Paused by bob: noonday resume web.")


@pytest.mark.parametrize("why", ["", "the fix for\x1b slow orders"])
def test_a_rollout_is_shown_with_what_it_is_for_in_the_words_of_who_asked(fleet: Api, why: str) -> None:
    fleet.post("/apps/web/rollouts", {"version": "1.1.0", "why": why})
    fleet.post("/apps/web/pause", {"why": "lunch"})
    assert fleet.get("/rollouts/r1")["why"] == why


def examined(api: Api) -> None:
    """r1 examines web-1."""
    now = api.clock.now()
    for host in HOSTS:
        api.engine.keep(HostJudged("r1", host, HostState.PREPARED))
    api.engine.keep(HostJudged("r1", "web-1", HostState.SERVING))
    api.engine.keep(StageEntered("r1", Stage.EXAMINING, 0, "web-1 serves 1.1.0", now + 60))


def test_a_rollout_is_shown_whole_with_evidence_as_it_comes(rolling: Api) -> None:
    examined(rolling)
    rolling.clock.move(20)
    rolling.engine.judge("r1", Judgement("hold", "one new error, 1 of 3 records", 130, 400, (FINDING,)))
    shown = rolling.get("/rollouts/r1")
    assert (shown["stage"], shown["wave"], shown["waves"][0]) == ("examining", 0, ["web-1"])
    assert (shown["requests"], shown["control_requests"], shown["least_requests"]) == (130, 400, 200)
    assert [host["state"] for host in shown["hosts"]] == ["serving", "prepared", "prepared"]
    assert [host["wave"] for host in shown["hosts"]] == [0, 1, 1]
    assert shown["hosts"][0]["report"]["live"] == OLD.id
    assert shown["hosts"][0]["silent"] == 20
    assert shown["findings"][0]["counts"] == {"web-1": 3}
    window = shown["examine"]
    assert (window["ends_at"] - window["started_at"], window["latest"] - window["started_at"]) == (60, 3600)
    want = "The examine of web-1, 40 s left, 130 of 200 requests seen; one new error, 1 of 3 records."
    assert shown["waiting_for"] == want
    rolling.clock.move(50)
    assert shown["waiting_for"] != rolling.get("/rollouts/r1")["waiting_for"]
    assert rolling.get("/apps/web/findings")["findings"][0]["key"] == "k"


def test_a_rollout_that_ended_keeps_its_verdict_and_reason(rolling: Api) -> None:
    rolling.engine.keep(VerdictReached("r1", "roll back", "new errors on web-1", 210, (FINDING,), 0.0, 630))
    rolling.engine.keep(RolloutEnded("r1", End.ROLLED_BACK, "web-1 serves 1.0.0 again"))
    shown = rolling.get("/rollouts/r1")
    assert (shown["end"], shown["verdict"], shown["verdict_reason"]) == (
        "rolled-back",
        "roll back",
        "new errors on web-1",
    )
    assert (shown["reason"], shown["waiting_for"], shown["examine"]) == ("web-1 serves 1.0.0 again", "", None)
    found = rolling.get("/apps/web/findings")
    assert (found["rollout"], found["verdict"]) == ("r1", "roll back")
    assert (found["requests"], found["control_requests"]) == (210, 630)
    assert rolling.get("/apps/web/releases/1.1.0")["blocked"].startswith("rolled back in r1")
    assert rolling.post("/apps/web/rollouts", {"version": "1.1.0"}, 409)["rule"] == "blocked"
    assert rolling.post("/apps/web/releases/1.1.0/unblock", {"why": "it was the disk"})["words"].endswith("the disk.")
    assert rolling.get("/apps/web/releases/1.1.0")["blocked"] == ""


def test_a_rollout_that_ended_shows_its_hosts_as_they_were_then(rolling: Api) -> None:
    rolling.engine.keep(Assigned("web-1", "web", 7, Goal.PREPARED, OLD, rollout="r1"), HostRemoved("web-3"))
    rolling.engine.keep(RolloutEnded("r1", End.FAILED, "web-1 is broken"))
    then = rolling.get("/rollouts/r1")["hosts"]
    rolling.engine.serve("web-1", "web", None)
    assert rolling.get("/hosts")["hosts"][0]["apps"][0]["live"] == ""
    assert rolling.get("/rollouts/r1")["hosts"] == then
    reports = {one["host"]: one["report"] for one in then}
    assert (reports["web-1"]["live"], reports["web-1"]["goal"]) == (OLD.id, "prepared")
    assert reports["web-1"]["reported_at"] is not None
    assert reports["web-3"] is None


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage.GATE, "A person's yes: noonday promote web"),
        (Stage.ROLLING, "Room to drain the next host"),
        (Stage.ROLLING_BACK, "web-2 (settled) to go back"),
    ],
)
def test_each_stage_says_what_it_waits_for(rolling: Api, stage: Stage, words: str) -> None:
    examined(rolling)
    rolling.engine.keep(StageEntered("r1", stage, 1, "so"), HostJudged("r1", "web-2", HostState.GOING_BACK))
    assert words in rolling.get("/rollouts/r1")["waiting_for"]


def test_a_host_that_fell_silent_is_named_in_what_is_waited_for(rolling: Api) -> None:
    rolling.clock.move(45)
    rolling.engine.hear("web-2")
    words = rolling.get("/rollouts/r1")["waiting_for"]
    assert words.startswith("web-1 (not heard for 45 s), web-2 (settled), web-3 (not heard for 45 s) to fetch")
    assert "1755 s left" in words


def test_an_open_question_stands_before_everything_else(rolling: Api) -> None:
    rolling.engine.keep(Paused("r1"), Asked("r1", "Go on? Answer: noonday promote web"))
    assert rolling.get("/rollouts/r1")["waiting_for"] == "A person: Go on? Answer: noonday promote web"
    assert rolling.get("/status")["apps"][0]["asked"].startswith("Go on?")


def test_a_rollout_is_steered(rolling: Api) -> None:
    examined(rolling)
    assert rolling.post("/apps/web/pause")["words"] == "It was paused."
    assert rolling.post("/apps/web/resume")["words"] == "It goes on."
    assert rolling.post("/apps/web/promote")["words"] == "A person promoted it."
    back = rolling.post("/apps/web/rollback", {"why": "customers complain"})
    assert back["rollout"] == "r1"
    assert "customers complain" in back["words"]
    assert rolling.get("/rollouts/r1")["stage"] == "rolling-back"
    assert rolling.post("/apps/web/abort", {}, 409)["rule"] == "going-back"


@pytest.mark.parametrize("verbs", [("abort",), ("pause",), ("pause", "resume"), ("promote",)])
def test_who_steers_a_rollout_may_say_why_and_history_tells_it(verbs: tuple[str, ...], rolling: Api) -> None:
    examined(rolling)
    for verb in verbs:
        words = rolling.post(f"/apps/web/{verb}", {"why": f"wrong day to {verb}"})["words"]
        assert f"wrong day to {verb}" in words
        assert any(f"wrong day to {verb}" in event["words"] for event in rolling.get("/history")["events"])


def test_a_rollout_goes_back_also_when_its_policy_file_was_broken_meanwhile(rolling: Api) -> None:
    examined(rolling)
    (rolling.context.config.apps_dir / "web.toml").write_text("oh = no")
    assert rolling.post("/apps/web/rollback", {})["rollout"] == "r1"


def test_without_a_rollout_a_broken_policy_refuses_the_rollback(fleet: Api) -> None:
    (fleet.context.config.apps_dir / "web.toml").write_text("oh = 1")
    assert "unknown key oh" in fleet.post("/apps/web/rollback", {}, 400)["text"]


def test_an_ended_rollout_shows_its_hosts_as_they_were_at_its_end(rolling: Api) -> None:
    rolling.engine.serve("web-1", "web", OLD)
    rolling.engine.keep(RolloutEnded("r1", End.ABORTED, "enough"))
    later = ReleaseRef(version="9.9.9", digest="9" * 64)
    rolling.engine.serve("web-1", "web", later)
    rolling.engine.keep(HostRemoved("web-1"))
    shown = {host["host"]: host for host in rolling.get("/rollouts/r1")["hosts"]}
    assert (shown["web-1"]["report"]["live"], shown["web-1"]["silent"]) == (OLD.id, None)
    assert shown["web-2"]["silent"] is None


def test_events_of_a_rollout_come_in_pieces_and_end_with_it(rolling: Api) -> None:
    first = rolling.get("/rollouts/r1/events")
    assert [event["kind"] for event in first["events"]] == ["rollout-started", "stage-entered"]
    assert first["events"][0]["words"].startswith("Rollout r1 of web 1.1.0 began on web-1, web-2, web-3.")
    assert (first["events"][1]["app"], first["ended"]) == ("web", False)
    rolling.engine.serve("web-1", "web", OLD)
    rolling.engine.keep(RolloutEnded("r1", End.DONE, "All 3 hosts serve 1.1.0."))
    one = rolling.get(f"/rollouts/r1/events?after={first['last']}&limit=1")
    assert [(event["kind"], event["host"]) for event in one["events"]] == [("host-reported", "web-1")]
    assert not one["ended"]
    rest = rolling.get(f"/rollouts/r1/events?after={one['last']}")
    assert rest["events"][0]["words"] == "Done: All 3 hosts serve 1.1.0."
    assert rest["events"][0]["data"]["end"] == "done"
    assert rest["ended"]
    assert rolling.get(f"/rollouts/r1/events?after={rest['last']}")["last"] == rest["last"]


def test_history_tells_the_newest_in_order_and_pages_back(rolling: Api) -> None:
    told = rolling.get("/history")["events"]
    assert [event["kind"] for event in told][-3:] == ["release-pushed", "rollout-started", "stage-entered"]
    assert [event["kind"] for event in told].count("host-enrolled") == 3
    assert "host-reported" not in {event["kind"] for event in told}
    assert {event["app"] for event in rolling.get("/history?app=web")["events"]} == {"web"}
    page = rolling.get(f"/history?limit=2&before={told[-1]['seq']}")["events"]
    assert page == told[-3:-1]
