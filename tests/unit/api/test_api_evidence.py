from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest

from bench.verdict.world import OLD as WORLD_OLD
from bench.verdict.world import Fault, Knobs, World, error_kind, make_world, template
from noonday_coordinator.core.events import End, Finding, RolloutEnded, RolloutStarted, VerdictReached
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages import Evidence, LogLine
from support.api_rig import HOSTS, OLD, Api

KIND = error_kind(0.2)
KNOWN = template("TimeoutError in shop/stock.py <*>", "ERROR")
WHY = {"why": "the supplier is slow, until May"}
NEW_ERROR = Finding(
    KIND.key, "new-error", True, "ERROR new with 1.1.0", level="ERROR", text=KIND.template.text, unit="cluster:1",
    e=400.0, rate_here=0.2, per="request", holds=True,
)  # fmt: skip
GAUGE = Finding("gauge:rss_bytes", "gauge", False, "rss_bytes rose", unit="gauge:rss_bytes", rate_here=2e8, holds=True)
LIMIT = Finding("health", "hard-limit", True, "health check failing")
SHARED = Finding("errors", "shared-trouble", False, "errors rise", unit="errors", holds=True)
STATUSES = Finding("status:5xx", "statuses", True, "more 5xx", unit="status:5xx", rate_here=0.1, per="request")


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(Knobs(seed=3, kinds=6, history=300.0, length=120.0), Fault("new", kinds=(KIND,)))


@pytest.fixture
def judged(rolling: Api) -> Api:
    """r1 is under way, with findings; the catalogue knows two errors."""
    counts = {KIND.key: (9, 8), KNOWN.key: (3, 2)}
    now = rolling.clock.now()
    new = rolling.engine.state.app("web").releases["1.1.0"].ref
    rolling.engine.keep(RolloutStarted("r0", "web", "deploy", OLD, None, Policy(app="web", hosts={"a": "b"}), ()))
    rolling.engine.keep(RolloutEnded("r0", End.DONE, "done"))
    rolling.engine.keep(
        RolloutStarted("r1", "web", "deploy", new, OLD, Policy(app="web", hosts={"role": "web"}), (HOSTS,))
    )
    window = Window(now, {"web-1": HostWindow(new.id, 10.0, requests=40, counts={KIND.key: counts[KIND.key]})},
                    (KIND.template, KNOWN))  # fmt: skip
    old = Window(now, {"web-2": HostWindow(OLD.id, 10.0, requests=40, counts={KNOWN.key: counts[KNOWN.key]})})
    for one in (window, old):
        rolling.context.catalogue.note("web", one)
    rolling.context.windows.append("web", [window, old], {}, at=now)
    rolling.engine.judge(
        "r1", Judgement("roll back", "one new error", 40, 40, (NEW_ERROR, GAUGE, LIMIT, SHARED, STATUSES))
    )
    return rolling


def marked(api: Api) -> list[dict[str, object]]:
    return list(api.get("/apps/web/caveats")["caveats"])


def test_a_finding_is_accepted_at_its_rate_with_who_and_why(judged: Api) -> None:
    done = judged.post(f"/apps/web/caveats/{KIND.key[:6]}/accept", WHY)
    assert done["words"].startswith("Caveat of web: ERROR 'KeyError in shop/pay.py charge'")
    assert "accepted at 20 % of requests: the supplier is slow, until May." in done["words"]
    assert done["words"].endswith("It counts at once, also in r1.")
    (one,) = marked(judged)
    assert (one["status"], one["rate"], one["per"], one["by"], one["why"]) == (
        "accepted", 0.2, "request", "alice", WHY["why"],
    )  # fmt: skip
    assert (one["cluster"], one["episodes"], one["at"]) == (True, 8, judged.clock.now())
    assert one["releases"] == [judged.engine.state.app("web").releases["1.1.0"].ref.id]
    told = judged.get("/history?app=web")["events"][-1]
    assert (told["kind"], told["by"], told["rollout"]) == ("caveat-marked", "alice", "r1")


def test_a_kind_of_record_is_accepted_at_the_rate_of_the_last_hours(judged: Api) -> None:
    judged.post(f"/apps/web/caveats/{KNOWN.key}/accept", WHY)
    (one,) = marked(judged)
    assert (one["key"], one["rate"], one["cluster"]) == (KNOWN.key, 2 / 80, False)
    judged.clock.move(5 * 3600)
    refused = judged.post(f"/apps/web/caveats/{KNOWN.key}/accept", WHY, 409)
    assert (refused["rule"], "not seen lately" in refused["text"]) == ("no-rate", True)
    assert refused["next_action"].startswith(f"noonday caveats mute web {KNOWN.key}")


def test_what_shows_nearly_every_second_is_accepted_by_time(judged: Api) -> None:
    judged.engine.judge("r1", Judgement("roll back", "", findings=(replace(NEW_ERROR, a_second=0.8),)))
    assert "accepted at 48 a minute" in judged.post(f"/apps/web/caveats/{KIND.key}/accept", WHY)["words"]
    busy = HostWindow(OLD.id, 10.0, requests=400, counts={KNOWN.key: (90, 9)})
    judged.context.windows.append("web", [Window(judged.clock.now(), {"web-2": busy})], {}, at=judged.clock.now())
    judged.post(f"/apps/web/caveats/{KNOWN.key}/accept", WHY)
    assert {(one["rate"], one["per"]) for one in marked(judged)} == {(0.8, "second"), (11 / 30, "second")}


def test_what_has_no_rate_can_be_muted_only(judged: Api) -> None:
    assert judged.post("/apps/web/caveats/gauge:rss_bytes/accept", WHY, 409)["rule"] == "no-rate"
    judged.post("/apps/web/caveats/gauge:rss_bytes/mute", WHY)
    judged.post("/apps/web/caveats/status:5xx/accept", WHY)
    assert [(one["key"], one["status"], one["rate"]) for one in marked(judged)] == [
        ("gauge:rss_bytes", "muted", 0.0),
        ("status:5xx", "accepted", 0.1),
    ]


@pytest.mark.parametrize("key", ["health", "errors"])
def test_hard_limits_and_shared_trouble_are_no_caveats(judged: Api, key: str) -> None:
    assert judged.post(f"/apps/web/caveats/{key}/mute", WHY, 409)["rule"] == "no-caveat"
    assert marked(judged) == []


def test_an_unknown_key_names_the_nearest(judged: Api) -> None:
    typo = f"{KIND.key[:-1]}{'0' if KIND.key[-1] != '0' else '1'}"
    for given in (typo, "KeyError in shop"):
        refused = judged.post(f"/apps/web/caveats/{quote(given)}/mute", WHY, 404)
        assert refused["rule"] == "no-such-key"
        assert f"the nearest: {KIND.key} (ERROR KeyError in shop/pay.py charge)" in refused["text"]


def test_a_short_beginning_of_a_key_may_mean_several(judged: Api) -> None:
    judged.engine.judge("r1", Judgement("hold", "", findings=(
        replace(NEW_ERROR, key="abcd1"), replace(NEW_ERROR, key="abcd2"))))  # fmt: skip
    assert judged.post("/apps/web/caveats/abcd/mute", WHY, 400)["text"] == "'abcd' may be abcd1, abcd2."
    refused = judged.post("/apps/web/caveats/abc/mute", WHY, 404)
    assert (refused["rule"], refused["next_action"]) == ("no-such-key", "write its first 4 characters or more")
    assert refused["text"].startswith("'abc' is too short to stand for a key; the nearest: ")


def test_a_caveat_is_forgotten_by_its_key_and_an_unknown_one_is_named(judged: Api) -> None:
    empty = judged.post("/apps/web/caveats/x/forget", {}, 404)
    assert (empty["rule"], empty["text"]) == ("no-such-caveat", "web has no caveats.")
    judged.post(f"/apps/web/caveats/{KIND.key}/mute", WHY)
    refused = judged.post("/apps/web/caveats/zzz/forget", {}, 404)
    assert f"the nearest: {KIND.key}" in refused["text"]
    words = judged.post(f"/apps/web/caveats/{KIND.key[:5]}/forget", {"why": "mended"})["words"]
    assert words.startswith("No caveat of web any more: ERROR 'KeyError in shop/pay.py charge'")
    assert marked(judged) == []


def test_errors_of_good_releases_are_listed_as_known_when_asked(judged: Api) -> None:
    assert judged.get("/apps/web/caveats") == {"app": "web", "caveats": [], "known": 1}
    (one,) = judged.get("/apps/web/caveats?known=true")["caveats"]
    assert (one["key"], one["status"], one["by"], one["releases"]) == (KNOWN.key, "known", "", [OLD.id])


def test_a_caveat_needs_a_reason_and_an_app(judged: Api) -> None:
    assert judged.post(f"/apps/web/caveats/{KIND.key}/mute", {}, 400)["text"] == "why is missing."
    assert judged.post(f"/apps/web/caveats/{KIND.key}/mute", {"why": ""}, 400)["rule"] == "bad-input"
    assert judged.get("/apps/wep/caveats", 404)["rule"] == "no-such-app"


def test_of_an_app_that_nothing_was_seen_of_nothing_is_marked(fleet: Api) -> None:
    assert "Nothing was seen of web yet" in fleet.post("/apps/web/caveats/x/mute", WHY, 404)["text"]


# Both sides


def test_both_sides_of_a_rollout_are_compared_while_it_runs_and_afterwards(rolling: Api, world: World) -> None:
    empty = rolling.get("/rollouts/r1/compare")
    assert (empty["words"], empty["canary"]["hosts"]) == ("No evidence has arrived from 1.1.0 yet.", [])
    rolling.context.windows.keep(replace(world.trial, rollout=replace(world.rollout, id="r1")))
    rolling.context.windows.append("web", world.windows, {}, rollout="r1", at=rolling.clock.now())
    running = rolling.get("/rollouts/r1/compare")
    assert (running["canary"]["hosts"], len(running["controls"]["hosts"])) == (["web-1"], 4)
    assert running["changes"][0]["key"] == KIND.key
    assert len(rolling.get("/rollouts/r1/compare?top=1")["changes"]) == 1
    rolling.engine.keep(RolloutEnded("r1", End.DONE, "done"))
    assert rolling.get("/rollouts/r1/compare") == running


def test_a_rollout_without_windows_is_refused_with_where_to_look(rolling: Api) -> None:
    rolling.engine.keep(RolloutEnded("r1", End.DONE, "done"))
    refused = rolling.get("/rollouts/r1/compare", 404)
    assert (refused["rule"], refused["next_action"]) == ("no-windows", "noonday findings r1 shows what was recorded")
    policy = Policy(app="web", hosts={"role": "web"})
    rolling.engine.keep(RolloutStarted("r2", "web", "rollback", OLD, None, policy, (HOSTS,)))
    assert "is a rollback" in rolling.get("/rollouts/r2/compare", 404)["text"]


def test_an_unknown_rollout_names_the_nearest(rolling: Api) -> None:
    for path in ("", "/findings", "/compare", "/events"):
        assert "'r11'; the nearest are r1." in rolling.get(f"/rollouts/r11{path}", 404)["text"]


# Findings


def test_findings_are_live_while_it_runs_and_recorded_afterwards(judged: Api) -> None:
    live = judged.get("/rollouts/r1/findings")
    assert (live["live"], live["verdict"], live["verdict_reason"]) == (True, "roll back", "one new error")
    first = live["findings"][0]
    assert (first["e"], first["rate_here"], first["per"], first["unit"], first["holds"]) == (
        400.0, 0.2, "request", "cluster:1", True,
    )  # fmt: skip
    assert judged.get("/rollouts/r1")["judgement"] == "roll back"
    assert judged.get("/status")["apps"][0]["judgement"] == "roll back"
    judged.engine.keep(VerdictReached("r1", "hold", "looked at", 50, (GAUGE,)), RolloutEnded("r1", End.DONE, "done"))
    kept = judged.get("/rollouts/r1/findings")
    assert (kept["live"], kept["verdict"], [one["key"] for one in kept["findings"]]) == (
        False, "hold", ["gauge:rss_bytes"],
    )  # fmt: skip


def test_a_dry_run_says_what_it_would_do_and_would_have_done(fleet: Api) -> None:
    path = fleet.context.config.apps_dir / "web.toml"
    path.write_text(path.read_text() + 'dry_run = true\noverrides = [{ match = "cron", action = "ignore" }]\n')
    assert fleet.post("/apps/web/plan", {"version": "1.1.0"})["policy"] == []
    fleet.engine.keep(RolloutStarted("r0", "web", "deploy", OLD, None, Policy(app="web", hosts={"a": "b"}), ()))
    fleet.engine.keep(RolloutEnded("r0", End.DONE, "done"))
    plan = fleet.post("/apps/web/plan", {"version": "1.1.0"})
    assert plan["dry_run"]
    assert plan["policy"][0].startswith("DRY RUN: it only judges")
    assert "what matches 'cron' is ignored" in plan["policy"]
    assert fleet.get("/status")["apps"][0]["dry_run"]
    fleet.post("/apps/web/rollouts", {"version": "1.1.0"})
    assert fleet.get("/rollouts/r2")["would"] == ""
    fleet.engine.judge("r2", Judgement("roll back", "one new error.", 40, 40, (NEW_ERROR,)))
    would = "It only judges. By what is known now it would roll back: one new error."
    assert fleet.get("/rollouts/r2")["would"] == fleet.get("/status")["apps"][0]["would"] == would
    reason = "dry run: it would have rolled back: one new error"
    fleet.engine.keep(VerdictReached("r2", "promote", reason, 50, (NEW_ERROR,)), RolloutEnded("r2", End.DONE, "done"))
    assert fleet.get("/rollouts/r2/findings")["would"] == ("It only judged: it would have rolled back: one new error.")


# Lines


def test_only_lines_that_are_new_with_the_release_are_shown_when_asked(judged: Api) -> None:
    new = judged.engine.state.app("web").releases["1.1.0"].ref.id

    def say(seq: int, *lines: LogLine, release: str = new) -> None:
        evidence = Evidence(
            host="web-1", app="web", boot=1, epoch=1, seq=seq, release=release, since=1.0, sent_at=2.0, lines=lines
        )
        judged.context.lines.add(evidence)

    say(1, LogLine(at=1.0, text="KeyError", key=KIND.key), LogLine(at=1.0, text="Timeout", key=KNOWN.key),
        LogLine(at=1.0, text="GET / 200"), LogLine(at=1.0, text="never seen", key="ffff"))  # fmt: skip
    say(1, LogLine(at=1.0, text="KeyError of old", key=KIND.key), release=WORLD_OLD.id)
    found = judged.get("/apps/web/logs?only_new=true")
    assert found["new_with"] == "1.1.0"
    assert [(one["text"], one["key"]) for one in found["lines"]] == [("KeyError", KIND.key), ("never seen", "ffff")]
    assert len(judged.get("/apps/web/logs")["lines"]) == 5
    assert judged.get(f"/apps/web/logs?only_new=true&after={found['last']}")["lines"] == []


def test_after_the_rollout_its_lines_are_still_new_and_without_a_release_none_can_be(fleet: Api) -> None:
    assert fleet.get("/apps/web/logs?only_new=true", 400)["rule"] == "no-release"
    ref = fleet.engine.state.app("web").releases["1.1.0"].ref
    policy = Policy(app="web", hosts={"role": "web"})
    fleet.engine.keep(RolloutStarted("r1", "web", "deploy", ref, None, policy, (HOSTS,)))
    fleet.engine.keep(RolloutEnded("r1", End.DONE, "done"))
    seen = HostWindow(ref.id, 10.0, requests=40, counts={KIND.key: (9, 8)})
    fleet.context.catalogue.note("web", Window(fleet.clock.now(), {"web-1": seen}, (KIND.template,)))
    line = LogLine(at=1.0, text="KeyError", key=KIND.key)
    fleet.context.lines.add(
        Evidence(host="web-1", app="web", boot=1, epoch=1, seq=1, release=ref.id, since=1.0, sent_at=2.0, lines=(line,))
    )
    assert [one["text"] for one in fleet.get("/apps/web/logs?only_new=true")["lines"]] == ["KeyError"]
