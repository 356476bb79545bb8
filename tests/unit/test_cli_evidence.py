from __future__ import annotations

import json

import pytest

from noonday_coordinator.api import models as m
from noonday_coordinator.api import models_evidence as me
from noonday_coordinator.cli.caveats import shown as caveats
from noonday_coordinator.cli.compare import shown as compared
from noonday_coordinator.cli.output import plain
from support.fake_api import NOW, FakeApi, caveat, comparison, full_api
from support.noonday_command import noonday, own_home, said

__all__ = ["own_home"]
pytestmark = pytest.mark.usefixtures("own_home")


# Caveats


def test_a_caveat_is_shown_with_where_it_was_seen_who_marked_it_and_why() -> None:
    first, where, who, more = plain(caveats(me.Caveats(app="web", caveats=(caveat(),), known=2))).splitlines()
    assert first == "accepted at 5 % of requests  ERROR Timeout of <*>"
    assert where.endswith("on 1.0.0, key 0a1b")
    assert who.startswith("  by alice at ")
    assert who.endswith(": the supplier is slow")
    assert more == "2 kinds of error known from good releases: noonday caveats list web --all"


def test_what_is_no_record_is_shown_by_its_key() -> None:
    gauge = caveat(
        key="gauge:rss_bytes", status="muted", level="", text="", first_seen=None, last_seen=None, releases=()
    )
    lines = plain(caveats(me.Caveats(app="web", caveats=(gauge,)))).splitlines()
    assert lines[:2] == ["muted  gauge:rss_bytes", "  key gauge:rss_bytes"]
    like = caveat(cluster=True)
    assert "key 0a1b, with every record like it" in plain(caveats(me.Caveats(app="web", caveats=(like,))))


def test_an_app_without_caveats_says_so_and_known_errors_come_after() -> None:
    assert plain(caveats(me.Caveats(app="web"))).startswith("web has no caveats. noonday findings web says")
    known = caveat(status="known", by="", why="", at=None, rate=0.0)
    text = plain(caveats(me.Caveats(app="web", caveats=(known,), known=1)))
    assert text.index("web has no caveats") < text.index("known  ERROR Timeout")
    assert "--all" not in text


@pytest.mark.parametrize("verb", ["accept", "mute"])
def test_a_mark_is_sent_with_its_reason_and_needs_one(verb: str) -> None:
    api = full_api()
    done = noonday(api, "caveats", verb, "web", "0a1b", "--reason", "known until May")
    assert (done.exit_code, done.stdout) == (0, "It was done.\n"), said(done)
    assert api.calls == [("POST", f"/apps/web/caveats/0a1b/{verb}")]
    assert json.loads(api.requests[0].content) == {"why": "known until May"}
    assert noonday(api, "caveats", verb, "web", "0a1b").exit_code == 2


def test_a_key_with_a_colon_stays_one_key() -> None:
    api = full_api()
    noonday(api, "caveats", "forget", "web", "status:5xx", "--reason", "mended")
    assert api.calls == [("POST", "/apps/web/caveats/status:5xx/forget")]


def test_known_errors_are_asked_for() -> None:
    api = full_api()
    noonday(api, "caveats", "list", "web", "--all")
    assert api.requests[0].url.params["known"] == "true"


# Both sides


def test_both_sides_stand_beside_each_other() -> None:
    lines = plain(compared(comparison())).splitlines()
    assert lines[0].startswith("web 1.0.0 to 1.1.0 (web-7), ")
    rows = {line[:18].strip(): line[18:].split("  ") for line in lines}
    cells = {name: [cell.strip() for cell in row if cell.strip()] for name, row in rows.items()}
    assert cells["servers"] == ["web-1", "web-2, web-3", "-"]
    assert cells["requests"] == ["600", "1,800", "-"]
    assert cells["answered with 5xx"] == ["60 (10 %)", "2 (0.11 %)", "-"]
    assert cells["ERROR records"] == ["40", "40", "-"]
    assert cells["ERROR episodes"] == ["2 % of requests", "2 % of requests", "-"]
    assert cells["latency p50"] == ["80 ms", "80 ms", "-"]
    assert cells["latency p99"] == ["65.536 s or more", "900 ms", "-"]
    assert cells["CPU per request"] == ["4 ms", "4 ms", "-"]
    assert cells["memory (RSS)"] == ["200 MB", "200 MB", "-"]
    assert cells["unasked restarts"] == ["1", "0", "-"]
    assert cells["LB: requests"] == ["601", "1,805", "-"]
    assert cells["LB: mean response"] == ["200 ms", "100 ms", "-"]
    assert not any("response_ms" in name for name in cells)


def test_the_records_that_differ_come_with_their_rates() -> None:
    text = plain(compared(comparison()))
    assert "Records that differ most from the controls:" in text
    row = " ".join(text.splitlines()[-1].split())
    assert row == "ERROR 31 (5.2 % of requests) 0 (0 % of requests) new 0a1b KeyError in <*>"
    assert "the canary before:" in plain(compared(comparison(against="before")))
    assert "No kind of record differs" in plain(compared(comparison(changes=())))


def test_kinds_that_nobody_asked_for_are_not_said_to_be_alike() -> None:
    api = full_api()
    result = noonday(api.on("GET", "/rollouts/web-7/compare", comparison(changes=())), "compare", "web", "--top", "0")
    assert (result.exit_code, "No kind of record differs" in result.stdout) == (0, False), said(result)


def change(**numbers: float) -> str:
    made = me.Change.model_validate({"key": "k", "level": "INFO", "text": "so", "known": True, **numbers})
    return plain(compared(comparison(changes=(made,)))).splitlines()[-1]


def test_a_rate_that_changed_is_told_in_times() -> None:
    assert " 3.5 " in change(here=7, there=2, rate_here=0.07, rate_there=0.02)
    assert " gone " in change(here=0, there=2, rate_here=0.0, rate_there=0.02)
    assert " seen before " in change(here=7, there=0, rate_here=0.07, rate_there=0.0)


def test_without_evidence_the_words_say_so() -> None:
    empty = comparison(words="No evidence has arrived from 1.1.0 yet.", canary=me.Side(), changes=())
    text = plain(compared(empty.model_copy(update={"controls": me.Side()})))
    assert text.splitlines()[1:] == ["No evidence has arrived from 1.1.0 yet."]


def test_log_that_was_not_read_is_owned_up_to() -> None:
    lossy = comparison(canary=comparison().canary.model_copy(update={"dropped": 9}))
    assert plain(compared(lossy)).endswith("Some of the log was not read, so records are missing here.")


def test_an_app_that_was_never_rolled_out_has_nothing_to_compare() -> None:
    result = noonday(full_api().on("GET", "/rollouts", m.Rollouts()), "compare", "web")
    assert (result.exit_code, "was never rolled out" in result.stderr) == (2, True), said(result)


def test_compare_of_an_app_is_of_its_newest_rollout() -> None:
    api = full_api()
    assert noonday(api, "compare", "web", "--top", "3").exit_code == 0
    assert api.calls[-1] == ("GET", "/rollouts/web-7/compare")
    assert api.requests[-1].url.params["top"] == "3"


# Lines


def test_only_new_lines_are_asked_for_and_none_is_said_so() -> None:
    lines = (m.LogLineReply(seq=1, at=NOW, host="web-1", release="", text="KeyError", key="0a1b"),)
    api = FakeApi().on("GET", "/apps/web/logs", m.Logs(app="web", lines=lines, last=1, new_with="1.1.0"))
    assert "KeyError" in noonday(api, "logs", "web", "--only-new").stdout
    assert api.requests[0].url.params["only_new"] == "true"
    none = noonday(
        FakeApi().on("GET", "/apps/web/logs", m.Logs(app="web", new_with="1.1.0")), "logs", "web", "--only-new"
    )
    assert none.stderr.startswith("No lines that are new with 1.1.0 yet.")
    assert "Next: noonday logs web --only-new --follow" in none.stderr
