from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from noonday_coordinator.api.app import make_app
from noonday_coordinator.api.context import Context
from noonday_coordinator.api.models import MANIFEST_BYTES, PREFIX
from noonday_coordinator.core.events import (
    Asked,
    End,
    Finding,
    HostJudged,
    Paused,
    RolloutEnded,
    Stage,
    StageEntered,
    VerdictReached,
)
from noonday_coordinator.core.state import HostState
from noonday_coordinator.core.view import Judgement
from noonday_shared.errors import Temporary
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Evidence, LogLine
from noonday_shared.names import ReleaseRef
from noonday_shared.release import BuiltRelease
from support.archives import Shelf
from support.fake_clock import FakeClock
from support.fake_engine import TOKEN, FakeBus, FakeEngine, make_context

KEY = SigningKey.new()
OLD = ReleaseRef(version="1.0.0", digest="a" * 64)
HOSTS = ("web-1", "web-2", "web-3")
FINDING = Finding("k", "new-error", True, "ERROR new with 1.1.0: 3 records on web-1", counts={"web-1": 3})


class Api:
    """The API with alice's token, its engine and clock; JSON in and out."""

    def __init__(self, http: TestClient, context: Context, clock: FakeClock) -> None:
        self.http = http
        self.context = context
        self.clock = clock
        assert isinstance(context.engine, FakeEngine)
        self.engine = context.engine
        self.headers = {"Authorization": f"Bearer {TOKEN}"}

    def get(self, path: str, status: int = 200) -> Any:
        return self._json(self.http.get(PREFIX + path, headers=self.headers), status)

    def post(self, path: str, body: object = None, status: int = 200) -> Any:
        return self._json(self.http.post(PREFIX + path, json=body, headers=self.headers), status)

    def delete(self, path: str, status: int = 200) -> Any:
        return self._json(self.http.delete(PREFIX + path, headers=self.headers), status)

    def push(self, built: BuiltRelease, status: int = 200, archive: bytes | None = None, app: str = "web") -> Any:
        manifest = built.manifest.read_bytes()
        body = manifest + (built.archive.read_bytes() if archive is None else archive)
        headers = {**self.headers, MANIFEST_BYTES: str(len(manifest))}
        reply = self.http.post(f"{PREFIX}/apps/{app}/releases", content=body, headers=headers)
        return self._json(reply, status)

    def _json(self, reply: Any, status: int) -> Any:
        assert reply.status_code == status, reply.text
        found = reply.json()
        if status >= 400:
            assert set(found) == {"rule", "text", "next_action"}
            assert found["rule"]
            assert found["text"].endswith((".", ")"))
        return found


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One app for all tests: only the context behind it changes."""
    context = make_context(tmp_path_factory.mktemp("first"), FakeClock(), KEY)
    context.log.close()
    with TestClient(make_app(context), raise_server_exceptions=False) as http:
        yield http


@pytest.fixture
def api(http: TestClient, tmp_path: Path) -> Iterator[Api]:
    clock = FakeClock()
    context = make_context(tmp_path, clock, KEY)
    assert isinstance(http.app, FastAPI)
    http.app.state.context = context
    yield Api(http, context, clock)
    context.log.close()


@pytest.fixture
def fleet(api: Api) -> Api:
    """Three hosts serve 1.0.0, and 1.1.0 is pushed."""
    for host in HOSTS:
        api.engine.serve(host, "web", OLD)
    api.engine.push("1.1.0")
    return api


@pytest.fixture
def rolling(fleet: Api) -> Api:
    """r1 is under way: 1.1.0 is on its way to the canary."""
    assert fleet.post("/apps/web/rollouts", {"version": "1.1.0"})["rollout"] == "r1"
    return fleet


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf", KEY)


# Tokens and errors


def every_route(api: Api) -> list[tuple[str, str]]:
    paths = api.http.get("/openapi.json").json()["paths"]
    return [(method, path) for path, methods in paths.items() for method in methods]


def test_no_route_but_health_and_artifacts_answers_without_a_token(api: Api) -> None:
    routes = every_route(api)
    assert len(routes) > 25
    for method, path in routes:
        reply = api.http.request(method, path)
        if path in (f"{PREFIX}/health", "/artifacts/{capability}/{name}"):
            assert reply.status_code in (200, 404), path
        else:
            assert reply.status_code == 401, path
            assert reply.json()["rule"] == "wrong-token"
            assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic YTpi", f"Bearer {TOKEN}x", "Bearer é", TOKEN])
def test_a_wrong_token_is_refused_with_a_sentence(api: Api, header: str) -> None:
    reply = api.http.get(f"{PREFIX}/status", headers={"Authorization": header.encode()})
    assert reply.status_code == 401
    assert "token" in reply.json()["text"]
    assert "coordinator.toml" in reply.json()["next_action"]


def test_health_needs_no_token(api: Api) -> None:
    assert api.http.get(f"{PREFIX}/health").json() == {"version": "0.1.0"}


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/nothing", "not-found"),
        ("/rollouts/r99", "no-such-rollout"),
        ("/rollouts/r99/events", "no-such-rollout"),
        ("/rollouts?app=wep", "no-such-app"),
        ("/history?app=wep", "no-such-app"),
        ("/apps/wep/releases", "no-such-app"),
        ("/apps/wep/findings", "no-such-app"),
        ("/apps/wep/logs", "no-such-app"),
        ("/apps/web/releases/9.9", "no-such-release"),
        ("/apps/web/logs?host=web-9", "not-enrolled"),
    ],
)
def test_what_is_not_there_is_404(api: Api, path: str, rule: str) -> None:
    assert api.get(path, 404)["rule"] == rule


def test_a_command_for_what_is_not_there_is_404(fleet: Api) -> None:
    assert "did you mean 'web'" in fleet.post("/apps/wep/rollouts", {"version": "1.0"}, 404)["text"]
    assert fleet.post("/apps/web/rollouts", {"version": "9.9"}, 404)["rule"] == "not-pushed"
    assert fleet.post("/apps/web/plan", {"version": "9.9"}, 404)["rule"] == "not-pushed"
    assert fleet.post("/apps/wep/promote", None, 404)["rule"] == "no-such-app"
    assert fleet.post("/hosts/web-9/drain", None, 404)["rule"] == "not-enrolled"
    assert fleet.delete("/hosts/web-9", 404)["rule"] == "not-enrolled"
    assert fleet.post("/apps/web/releases/9.9/unblock", {}, 404)["rule"] == "not-pushed"


def test_bad_input_is_400_and_names_the_key(api: Api) -> None:
    assert (
        api.post("/apps/web/plan", {"version": "1.0", "alow_outage": True}, 400)["text"] == "unknown key alow_outage."
    )
    assert api.post("/apps/web/plan", {}, 400)["text"] == "version is missing."
    assert "is not a version" in api.post("/apps/web/plan", {"version": "../x"}, 400)["text"]
    assert api.get("/rollouts?limit=0", 400)["text"].startswith("limit: ")
    assert api.post("/apps/web/plan", None, 400)["rule"] == "bad-input"
    assert api.http.post(f"{PREFIX}/status", headers=api.headers).status_code == 405


def test_what_the_engine_refuses_is_409(rolling: Api) -> None:
    refused = rolling.post("/apps/web/rollouts", {"version": "1.1.0"}, 409)
    assert refused["rule"] == "rollout-under-way"
    assert "r1" in refused["text"]
    assert "noonday abort web" in refused["next_action"]
    assert rolling.post("/apps/web/promote", None, 409)["rule"] == "nothing-to-promote"
    assert rolling.post("/apps/web/resume", None, 409)["rule"] == "not-paused"


def test_an_engine_that_does_not_answer_is_503(fleet: Api) -> None:
    fleet.engine.raises = Temporary("The engine did not answer within 5 s.", next_action="try again")
    assert fleet.post("/apps/web/pause", None, 503)["next_action"] == "try again"


def test_an_error_of_our_own_is_500_and_says_where_to_look(fleet: Api) -> None:
    fleet.engine.raises = RuntimeError("secret inside")
    failed = fleet.post("/apps/web/pause", None, 500)
    assert failed["rule"] == "internal"
    assert "secret" not in failed["text"]


def test_the_api_describes_itself_truly(api: Api) -> None:
    schema = api.http.get("/openapi.json").json()
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert "422" not in operation["responses"], (path, method)
            if path.startswith(PREFIX) and not path.endswith("/health"):
                assert {"400", "401", "404", "409", "503"} <= set(operation["responses"]), (path, method)
                assert operation["security"], (path, method)


# Fleet


def test_status_shows_each_app_the_broker_and_the_term(rolling: Api) -> None:
    rolling.engine.serve("web-4", "web", None)
    rolling.clock.move(31)
    for host in HOSTS:
        rolling.engine.hear(host)
    status = rolling.get("/status")
    assert status["term"] == 1
    assert status["broker"] == {"connected": True, "trouble": ""}
    (web,) = status["apps"]
    assert (web["app"], web["rollout"], web["stage"]) == ("web", "r1", "preparing")
    assert web["hosts_in"] == list(HOSTS)
    assert web["hosts_out"] == ["web-4"]  # silent for longer than the policy allows
    assert "to fetch and unpack 1.1.0" in web["waiting_for"]


def test_status_says_why_a_policy_can_not_be_used(fleet: Api) -> None:
    (fleet.context.config.apps_dir / "web.toml").write_text("canry = 1\n")
    (web,) = fleet.get("/status")["apps"]
    assert "unknown key canry" in web["trouble"]
    assert web["hosts_in"] == list(HOSTS)


def test_hosts_shows_what_each_reported_and_who_is_a_stranger(fleet: Api) -> None:
    fleet.clock.move(12)
    fleet.engine.hear("web-1", notices=("A second agent has this name.",))
    fleet.engine.strangers = {"web-9": fleet.clock.now()}
    shown = fleet.get("/hosts")
    first, second = shown["hosts"][:2]
    assert (first["host"], first["labels"], first["silent"]) == ("web-1", {"role": "web"}, 0)
    assert first["notices"] == ["A second agent has this name."]
    assert (first["agent_version"], second["silent"]) == ("0.1.0", 12)
    (web,) = first["apps"]
    assert (web["live"], web["in_service"], web["healthy"], web["phase"]) == (OLD.id, True, True, "settled")
    assert web["proven"] == {"version": "1.0.0", "digest": "a" * 64}
    assert [stranger["host"] for stranger in shown["strangers"]] == ["web-9"]


def test_enrolling_gives_the_host_a_key_that_is_shown_once(api: Api) -> None:
    made = api.post("/hosts", {"host": "web-1", "labels": {"role": "web"}})
    key = SigningKey.parse(made["host_key"])
    host = api.engine.state.hosts["web-1"]
    assert (host.labels, host.public_key) == ({"role": "web"}, str(key.public))
    written = tomllib.loads(made["agent_toml"])
    assert written["host"] == "web-1"
    assert written["broker"] == {"url": "amqp://guest:guest@127.0.0.1/"}
    assert written["trust"]["coordinator"] == str(api.context.coordinator_key)
    assert written["trust"]["releases"] == [str(KEY.public)]
    assert made["host_key"] not in made["agent_toml"]
    assert api.engine.log.read()[-1].by == "alice"


def test_enrolling_twice_is_refused_but_for_rotating_the_key(api: Api) -> None:
    first = api.post("/hosts", {"host": "web-1"})
    refused = api.post("/hosts", {"host": "web-1"}, 409)
    assert refused["rule"] == "already-enrolled"
    assert "--rotate" in refused["next_action"]
    second = api.post("/hosts", {"host": "web-1", "rotate": True})
    assert second["host_key"] not in ("", first["host_key"])


def test_a_host_that_brings_its_own_key_keeps_it_and_may_change_labels(api: Api) -> None:
    own = str(SigningKey.new().public)
    made = api.post("/hosts", {"host": "web-1", "public_key": own})
    assert made["host_key"] == ""
    api.post("/hosts", {"host": "web-1", "public_key": own, "labels": {"role": "web"}})
    assert api.engine.state.hosts["web-1"].labels == {"role": "web"}
    assert api.engine.state.hosts["web-1"].public_key == own
    assert api.post("/hosts", {"host": "web-2", "public_key": "no key"}, 400)["rule"] == "bad-input"
    assert api.post("/hosts", {"host": "Web 3"}, 400)["text"].startswith("host: ")


def test_a_host_is_drained_let_back_and_removed(fleet: Api) -> None:
    assert "stay out" in fleet.post("/hosts/web-1/drain")["words"]
    assert fleet.get("/hosts")["hosts"][0]["drained_by"] == "alice"
    assert fleet.post("/hosts/web-1/drain", None, 409)["rule"] == "drained"
    assert fleet.post("/hosts/web-1/undrain")["words"] == "web-1 may serve again."
    assert fleet.delete("/hosts/web-3")["words"] == "web-3 was removed."
    assert len(fleet.get("/hosts")["hosts"]) == 2


def checks(api: Api, state: str) -> dict[str, str]:
    found = api.get("/doctor")
    assert all(check["next_action"] for check in found["checks"] if check["state"] != "ok")
    return {check["name"]: check["text"] for check in found["checks"] if check["state"] == state}


def test_the_doctor_finds_nothing_wrong_with_a_healthy_fleet(fleet: Api) -> None:
    found = fleet.get("/doctor")
    assert found["worst"] == "ok", found
    assert {"broker", "event-log", "disk", "policy web", "host web-1"} <= {check["name"] for check in found["checks"]}


def test_the_doctor_names_each_trouble_and_what_to_do(fleet: Api) -> None:
    assert isinstance(fleet.context.bus, FakeBus)
    fleet.context.bus.connected, fleet.context.bus.trouble = False, "The broker refuses the connection."
    fleet.engine.trouble = "The event log can't be written: disk full."
    (fleet.context.config.apps_dir / "api.toml").write_text('app = "api"\nhosts = { role = "api" }\n')
    (fleet.context.config.apps_dir / "bad.toml").write_text("x = 1\n")
    fleet.clock.move(40)
    fleet.engine.hear("web-2", sent_at=fleet.clock.now() - 20, notices=("Two agents use this name.",))
    fleet.engine.hear("web-3")
    fleet.engine.strangers = {"web-9": fleet.clock.now()}
    failed, warned = checks(fleet, "fail"), checks(fleet, "warn")
    assert failed["broker"] == "The broker refuses the connection."
    assert failed["engine"].startswith("The event log")
    assert "unknown key x" in failed["policy bad"]
    assert failed["host web-1"] == "web-1 was not heard for 40 s."
    assert "role=api" in warned["policy api"]
    assert warned["host web-2"] == "web-2 says: Two agents use this name."
    assert warned["strangers"] == "web-9 reports and is not enrolled."
    skew = [check["text"] for check in fleet.get("/doctor")["checks"] if "clock" in check["text"]]
    assert skew == ["The clock of web-2 is 20 s behind the coordinator's."]


def test_the_doctor_finds_a_damaged_log_and_a_blocked_release(rolling: Api) -> None:
    rolling.engine.keep(
        VerdictReached("r1", "roll back", "new errors"), RolloutEnded("r1", End.ROLLED_BACK, "new errors")
    )  # fmt: skip
    assert "1.1.0 is blocked: rolled back in r1" in checks(rolling, "ok")["blocked"]
    rolling.context.log._writer.execute("DELETE FROM events WHERE seq = 1")
    assert "missing" in checks(rolling, "fail")["event-log"]


# Rollouts


def test_a_plan_changes_nothing(fleet: Api) -> None:
    before = len(fleet.engine.log.read())
    plan = fleet.post("/apps/web/plan", {"version": "1.1.0"})
    assert plan["waves"] == [["web-1"], ["web-2", "web-3"]]
    assert (plan["limit"], plan["nothing_to_do"], plan["release"]["version"]) == (1, False, "1.1.0")
    assert plan["hosts"] == list(HOSTS)
    assert plan["seconds"] == 45
    assert len(fleet.engine.log.read()) == before


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
    rolling.engine.keep(VerdictReached("r1", "roll back", "new errors on web-1", 210, (FINDING,)))
    rolling.engine.keep(RolloutEnded("r1", End.ROLLED_BACK, "web-1 serves 1.0.0 again"))
    shown = rolling.get("/rollouts/r1")
    assert (shown["end"], shown["verdict"], shown["verdict_reason"]) == (
        "rolled-back",
        "roll back",
        "new errors on web-1",
    )
    assert (shown["reason"], shown["waiting_for"], shown["examine"]) == ("web-1 serves 1.0.0 again", "", None)
    found = rolling.get("/apps/web/findings")
    assert (found["rollout"], found["verdict"], found["requests"]) == ("r1", "roll back", 210)
    assert rolling.get("/apps/web/releases/1.1.0")["blocked"].startswith("rolled back in r1")
    assert rolling.post("/apps/web/rollouts", {"version": "1.1.0"}, 409)["rule"] == "blocked"
    assert rolling.post("/apps/web/releases/1.1.0/unblock", {"why": "it was the disk"})["words"].endswith("the disk.")
    assert rolling.get("/apps/web/releases/1.1.0")["blocked"] == ""


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


def test_an_abort_keeps_its_reason(rolling: Api) -> None:
    assert "wrong day" in rolling.post("/apps/web/abort", {"why": "wrong day"})["words"]


def test_a_rollout_goes_back_also_when_its_policy_file_was_broken_meanwhile(rolling: Api) -> None:
    examined(rolling)
    (rolling.context.config.apps_dir / "web.toml").write_text("oh = no")
    assert rolling.post("/apps/web/rollback", {})["rollout"] == "r1"


def test_without_a_rollout_a_broken_policy_refuses_the_rollback(fleet: Api) -> None:
    (fleet.context.config.apps_dir / "web.toml").write_text("oh = 1")
    assert "unknown key oh" in fleet.post("/apps/web/rollback", {}, 400)["text"]


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


# Releases and logs


def test_a_push_is_kept_and_agents_can_fetch_it_in_parts(api: Api, shelf: Shelf) -> None:
    built = shelf.build("1.0.0", {"app.py": "x" * 50_000})
    pushed = api.push(built)
    assert (pushed["new"], pushed["digest"]) == (True, built.signed.digest)
    url = api.context.capabilities.url("web", built.signed.ref)
    whole = api.http.get(url)
    assert whole.content == built.archive.read_bytes()
    part = api.http.get(url, headers={"Range": "bytes=10-"})
    assert (part.status_code, part.content) == (206, whole.content[10:])
    assert part.headers["Content-Range"] == f"bytes 10-{len(whole.content) - 1}/{len(whole.content)}"
    assert api.http.get(url, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416
    assert api.http.get(f"{url}.manifest").content == built.manifest.read_bytes()
    assert api.http.head(url).headers["Content-Length"] == str(len(whole.content))


def test_an_artifact_is_not_given_to_who_guesses(api: Api, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    api.push(built)
    base, capability, name = api.context.capabilities.url("web", built.signed.ref).rsplit("/", 2)
    for wrong in (f"{base}/{'0' * 64}/{name}", f"{base}/{capability}/web-2.0.0-00000000.tar.gz", f"{base}/x/..%2Fy"):
        assert api.http.get(wrong).status_code == 404


def test_releases_are_listed_newest_first_with_where_they_are_live(api: Api, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    api.push(built)
    api.clock.move(10)
    api.push(shelf.build("1.1.0"))
    api.engine.serve("web-1", "web", built.signed.ref)
    newest, oldest = api.get("/apps/web/releases")["releases"]
    assert (newest["version"], newest["hosts"], newest["pushed_by"]) == ("1.1.0", [], "alice")
    assert (oldest["hosts"], oldest["manifest"]["health"]) == (["web-1"], "/health")
    assert api.get("/apps/web/releases/1.0.0") == oldest


def test_pushing_the_same_again_is_no_news(api: Api, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    api.push(built)
    again = api.push(built)
    assert not again["new"]
    assert "pushed before" in again["words"]


def test_the_same_version_with_other_content_is_refused_also_when_the_archives_were_lost(
    api: Api, shelf: Shelf
) -> None:
    api.push(shelf.build("1.0.0"))
    other = shelf.build("1.0.0", {"app.py": "other"})
    assert api.push(other, 409)["rule"] == "same-version-other-content"
    for path in (api.context.config.data_dir / "artifacts" / "web").iterdir():
        path.unlink()
    assert api.push(other, 409)["rule"] == "same-version-other-content"


def test_a_push_that_is_wrong_is_refused_and_leaves_nothing(api: Api, shelf: Shelf, tmp_path: Path) -> None:
    built = shelf.build("1.0.0")
    archive = built.archive.read_bytes()
    foreign = Shelf(tmp_path / "foreign", SigningKey.new()).build("1.0.0")
    assert api.push(foreign, 400)["rule"] == "bad-signature"
    assert api.push(built, 400, archive[:-1])["rule"] == "size-mismatch"
    assert api.push(built, 400, archive + b"x")["rule"] == "size-mismatch"
    assert api.push(built, 400, bytes(len(archive)))["rule"] == "digest-mismatch"
    assert api.push(built, 400, app="api")["rule"] == "wrong-app"
    assert api.engine.state.app("web").releases == {}
    assert [path for path in (api.context.config.data_dir / "artifacts").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("length", ["0", "-1", "x", "99999999", None])
def test_a_push_without_a_manifest_is_refused(api: Api, length: str | None) -> None:
    headers = {**api.headers, **({MANIFEST_BYTES: length} if length is not None else {})}
    reply = api.http.post(f"{PREFIX}/apps/web/releases", content=b"xyz", headers=headers)
    assert reply.status_code == 400
    assert MANIFEST_BYTES.lower() in reply.json()["text"].lower()


def line(seq: int, text: str, host: str = "web-1") -> Evidence:
    return Evidence(
        host=host, app="web", boot=1, epoch=1, seq=seq, release=OLD.id, since=1.0, sent_at=2.0,
        lines=(LogLine(at=2.0, text=text),),
    )  # fmt: skip


def test_logs_come_once_and_asking_keeps_the_hosts_sending(fleet: Api) -> None:
    now = fleet.clock.now()
    assert fleet.get("/apps/web/logs") == {"app": "web", "lines": [], "last": 0}
    assert fleet.engine.state.app("web").watch_until == now + 30
    fleet.context.lines.add(line(1, "one"))
    fleet.context.lines.add(line(1, "two", "web-2"))
    fleet.clock.move(10)
    found = fleet.get("/apps/web/logs")
    assert fleet.engine.state.app("web").watch_until == now + 30
    assert [(one["host"], one["text"], one["release"]) for one in found["lines"]] == [
        ("web-1", "one", OLD.id),
        ("web-2", "two", OLD.id),
    ]
    fleet.clock.move(6)
    assert fleet.get(f"/apps/web/logs?after={found['last']}")["lines"] == []
    assert fleet.engine.state.app("web").watch_until == now + 46
    assert [one["text"] for one in fleet.get("/apps/web/logs?host=web-2")["lines"]] == ["two"]


def test_findings_of_an_app_without_a_rollout_are_none(fleet: Api) -> None:
    found = fleet.get("/apps/web/findings")
    assert (found["rollout"], found["findings"]) == ("", [])
