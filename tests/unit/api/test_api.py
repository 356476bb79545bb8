from __future__ import annotations

import tomllib

import pytest

from noonday_coordinator.api.models import PREFIX
from noonday_coordinator.core.events import (
    End,
    RolloutEnded,
    VerdictReached,
)
from noonday_shared.errors import Temporary
from noonday_shared.keys import SigningKey
from support.api_rig import HOSTS, KEY, OLD, Api
from support.fake_engine import TOKEN, FakeBus


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
    assert fleet.post("/hosts/web-1/drain", {"why": "a new disk"})["words"].endswith(": a new disk.")
    assert fleet.post("/hosts/web-1/undrain", {"why": "it is in"})["words"] == "web-1 may serve again: it is in."
    assert fleet.delete("/hosts/web-2?why=sold")["words"] == "web-2 was removed: sold."


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
