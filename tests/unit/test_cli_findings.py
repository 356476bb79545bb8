from __future__ import annotations

import json

import pytest
from rich.console import Group

from noonday_coordinator.api import models as m
from noonday_coordinator.api.models_replay import Replay
from noonday_coordinator.cli import words
from noonday_coordinator.cli.findings import FEW, SAMPLE_LINES, findings, report
from noonday_coordinator.cli.live import view
from noonday_coordinator.cli.output import plain
from noonday_coordinator.cli.replay_view import rollout as replayed
from support.fake_api import NEW, NOW, finding, full_api, info
from support.noonday_command import noonday, own_home, said

__all__ = ["own_home"]
pytestmark = pytest.mark.usefixtures("own_home")

BLAMED = finding(
    "new-error", "ERROR new with 1.1.0, 'KeyError': 31 requests on web-1, never in 4 h on 3 old servers", blames=True,
    holds=True, key="0a1b", unit="template:0a1b", e=28_000.4, rate_here=0.052, per="request", first_seen=NOW,
    nearest="KeyError in shop/cart.py", samples=("KeyError: 'price'\n  at pay", "KeyError: 'sum'", "c", "d"),
)  # fmt: skip
HELD = finding("gauge", "rss_bytes rose by 40 %", holds=True, unit="gauge:rss_bytes", rate_here=2.8e8, rate_there=2e8)
SHARED = finding("shared-trouble", "errors rise on web-2, web-3: not this release", holds=True, excuse="shared")
CAVEAT = finding("new-error", "ERROR new; a caveat, muted by alice", excuse="caveat", unit="template:1", key="1")
SEEN = finding("new-record", "INFO new with 1.1.0", excuse="information", unit="template:2")
KNOWN = finding("known-error", "TimeoutError known", unit="template:3", key="3")


def told(*found: m.FindingReply, brief: bool = False) -> str:
    return plain(Group(*findings(found, brief=brief)))


def test_each_kind_of_finding_stands_under_what_it_means() -> None:
    text = told(KNOWN, SEEN, CAVEAT, SHARED, HELD, BLAMED)
    order = [
        "Against the release:", "31 requests on web-1", "On hold, a person should look:", "rss_bytes rose",
        "Not this release, old servers have it too:", "errors rise", "Seen, not held against it:", "INFO new",
        "Caveats, marked by people:", "muted by alice", "Known, never held against it:", "TimeoutError known",
    ]  # fmt: skip
    assert sorted(order, key=text.index) == order


def test_a_finding_comes_with_its_rates_odds_time_key_likeness_and_lines() -> None:
    lines = told(BLAMED).splitlines()
    assert lines[1].endswith("31 requests on web-1, never in 4 h on 3 old servers")
    at = words.at_time(NOW)
    assert lines[2] == (
        f"    5.2 % of requests here, 0 % of requests there, odds 28,000 to 1, first seen {at}, key 0a1b"
    )
    assert lines[3] == "    most like the known: KeyError in shop/cart.py"
    assert lines[4:] == ["    | KeyError: 'price'", "    |   at pay", "    | KeyError: 'sum'", "    | c"]


def test_a_gauge_is_told_as_what_it_is() -> None:
    assert "280 MB here, 200 MB there" in told(HELD)


def test_a_long_trace_is_cut_and_says_so() -> None:
    long = BLAMED.model_copy(update={"samples": ("\n".join(map(str, range(100))),)})
    assert told(long).endswith(f"    | {SAMPLE_LINES - 1}\n    | … {100 - SAMPLE_LINES} more lines")


def test_a_moving_picture_has_one_line_of_each_sample_and_few_known_ones() -> None:
    text = told(BLAMED, *[KNOWN] * (FEW + 3), brief=True)
    assert "    | KeyError: 'price'\n    | KeyError: 'sum'" in text
    assert "at pay" not in text
    assert text.count("TimeoutError known") == FEW
    assert text.endswith("… and 3 more: noonday findings")


def test_of_what_is_known_the_traces_are_left_out() -> None:
    traced = {"samples": BLAMED.samples}
    for one in (KNOWN, CAVEAT):
        text = told(BLAMED, one.model_copy(update=traced))
        assert text.count("  at pay") == 1
        assert text.endswith("    | KeyError: 'price'\n    | KeyError: 'sum'\n    | c")


@pytest.mark.parametrize(
    ("e", "words_of_it"), [(0.62, "0.62 to 1"), (42.3, "42 to 1"), (99.7, "100 to 1"), (5e12, "over a billion to 1")]
)
def test_odds_are_said_without_powers_of_ten(e: float, words_of_it: str) -> None:
    assert words.odds(e) == words_of_it


def whole(**changes: object) -> str:
    known = {"app": "web", "rollout": "r7", "release": NEW, "requests": 400, "control_requests": 1200}
    return plain(report(m.Findings.model_validate(known | changes)))


def test_a_rollout_under_way_says_what_is_known_so_far_and_an_ended_one_its_verdict() -> None:
    text = whole(live=True, verdict="hold", verdict_reason="gone quiet.", findings=(HELD,))
    assert text.startswith("web 1.1.0 (r7), 400 requests, 1200 on the old release; so far: hold. Gone quiet.\n")
    assert text.endswith("Known after all? noonday caveats accept web KEY --reason WHY")
    assert "; verdict: promote.\nNothing found." in whole(verdict="promote")
    assert "; no verdict.\nNothing found." in whole()
    assert "; no verdict yet.\nNothing found." in whole(live=True)


def test_without_a_rollout_there_is_a_next_command() -> None:
    assert "Next: noonday deploy web VERSION --plan" in whole(rollout="")


def test_a_dry_run_is_loud_wherever_the_rollout_is_shown() -> None:
    would = "It only judges. By what is known now it would roll back: KeyError."
    assert f"DRY RUN. {would}" in whole(dry_run=True, would=would)
    assert f"DRY RUN. {would}" in plain(view(info(dry_run=True, would=would)))
    app = m.AppStatus(app="web", dry_run=True, would=would)
    status = m.Status(version="0", term=1, now=NOW, since=NOW, broker=m.BrokerStatus(connected=True), apps=(app,))
    assert f"web: DRY RUN. {would}" in noonday(full_api().on("GET", "/status", status), "status").stdout
    ends = info(dry_run=True, would=would, end="done")
    api = full_api().rollout(info(dry_run=True), info(dry_run=True), ends)
    lines = noonday(api, "show", "web-7", "--follow").stdout
    assert lines.startswith("DRY RUN. It only judges, and nothing goes back by itself.\n")
    assert f"DRY RUN. {would}\nDone" in lines


def test_how_a_rollout_is_judged_is_shown_with_it_and_with_its_plan() -> None:
    policy = ("a false alarm in at most 5 of 100 rollouts", "what matches 'cron' is ignored")
    text = plain(view(info(policy=policy, judgement="hold", verdict_reason="gone quiet"), whole=True))
    assert "Judged: what matches 'cron' is ignored." in text
    assert "Verdict so far: hold. gone quiet" in text
    assert "Judged" not in plain(view(info(policy=policy)))


def test_neither_an_app_nor_a_rollout_is_said_as_what_it_looks_like() -> None:
    no_app = (404, m.Problem(rule="no-such-app", text="There is no app.", next_action="look"))
    no_rollout = (404, m.Problem(rule="no-such-rollout", text="There is no rollout.", next_action="look"))
    api = full_api()
    for name in ("r77", "shop"):
        api.on("GET", f"/apps/{name}/findings", no_app).on("GET", f"/rollouts/{name}/findings", no_rollout)
    assert json.loads(noonday(api, "findings", "r77", "--json").stderr)["rule"] == "no-such-rollout"
    result = noonday(api, "findings", "shop", "--json")
    assert json.loads(result.stderr)["rule"] == "no-such-app"
    assert result.exit_code == 2, said(result)


def test_a_rollout_judged_again_without_a_finding_says_so() -> None:
    nothing = Replay(
        rollout="r1", app="web", release=NEW, by_policy=False, same=True, verdict="promote", reason="", started_at=NOW,
        until=NOW, windows=3,
    )  # fmt: skip
    assert plain(replayed(nothing)).endswith("\nNothing found.")
