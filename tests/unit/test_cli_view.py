"""The picture of a rollout and the words of the command, from models alone."""

from __future__ import annotations

import httpx
import pytest

from noonday_coordinator.api import models as m
from noonday_coordinator.cli import tables, words
from noonday_coordinator.cli.client import Client, find_token, part
from noonday_coordinator.cli.live import view
from noonday_coordinator.cli.output import plain
from noonday_shared.errors import BadInput
from support.fake_api import NOW, TOKEN, FakeApi, ended, finding, host, info, plan, release

KNOWN = finding("known-error", "TimeoutError: 4 records on web-1, old servers show it too")
BLAMED = finding("new-error", "KeyError new with 1.1.0: 31 records", blames=True, samples=("Traceback\n  KeyError",))
SEEN = finding("new-error", "ValueError seen once")


def shown(**changes: object) -> str:
    return plain(view(info(**changes), whole=True))


def test_the_header_says_where_it_stands_and_why_it_waits() -> None:
    text = shown()
    assert text.startswith("Release web 1.1.0 (from 1.0.0)  web-7, started ")
    assert "examining canary · 42 s of the examine left · 152/200 requests (old release: 460)" in text
    assert "Waits: 42 s more, and 48 more requests" in text


def test_below_the_header_stands_what_it_is_for_where_that_was_said() -> None:
    said = shown(why="the fix for\x1b[2J\nslow orders").splitlines()
    assert said[1] == "Why: the fix for\N{REPLACEMENT CHARACTER}[2J slow orders"
    assert "Why:" not in shown()


def test_each_host_has_one_row() -> None:
    rows = {line.split()[0]: line.split() for line in shown().splitlines() if line.startswith("web-")}
    assert rows["web-1"] == ["web-1", "canary", "serving", "settled", "1.1.0-bbbbbbbb", "yes", "3.2", "s"]
    assert rows["web-3"] == ["web-3", "wave", "1", "working", "draining", "1.0.0-aaaaaaaa", "no", "-"]


def test_a_host_of_a_group_is_shown_with_it() -> None:
    grouped = host("web-3", 1, "working").model_copy(update={"group": "rack=b"})
    assert "wave 1, rack=b" in shown(hosts=(grouped,))


def test_what_went_wrong_on_a_host_stands_below_it() -> None:
    reverted = host("web-1", 0, "reverted", trouble="proving: the old code still runs")
    assert "proving: the old code still runs" in shown(hosts=(reverted,))


def test_a_silent_host_is_said_to_be_silent() -> None:
    silent = host("web-1", 0, "working", phase="draining").model_copy(update={"silent": 40.0})
    assert "not heard for 40 s" in shown(hosts=(silent,))
    assert "draining" not in shown(hosts=(silent,))


def test_findings_against_the_release_come_first_and_known_ones_last() -> None:
    text = shown(findings=(KNOWN, SEEN, BLAMED))
    titles = ["Against the release:", "Seen, not held against it:", "Known, never held against it:"]
    assert sorted(titles, key=text.index) == titles
    assert text.index("KeyError new") < text.index("    | Traceback\n    |   KeyError") < text.index("ValueError seen")
    assert text.rstrip().endswith("old servers show it too")


def test_a_question_comes_with_the_commands_that_answer() -> None:
    text = shown(asked="Only 12 requests came. Promote?")
    assert "Waits for a person: Only 12 requests came. Promote?" in text
    assert "Answer: noonday promote web | noonday rollback web | noonday abort web" in text


def test_a_paused_rollout_says_who_and_how_it_goes_on() -> None:
    text = shown(paused_by="bob")
    assert "paused by bob" in text
    assert "noonday resume web" in text


@pytest.mark.parametrize(
    ("end", "word"), [("done", "Done"), ("rolled-back", "Rolled back"), ("failed", "Failed"), ("aborted", "Aborted")]
)
def test_an_ended_rollout_says_how_and_why(end: str, word: str) -> None:
    text = plain(view(ended(end, "so it was")))
    assert f"{word}: web 1.1.0" in text
    assert "after 1 min (web-7). so it was." in text
    assert "Waits" not in text


def test_an_absent_coordinator_is_said_below_the_last_picture() -> None:
    text = plain(view(info(), away="Waiting for the coordinator, 3 s so far"))
    assert "web-3" in text
    assert text.rstrip().endswith("Waiting for the coordinator, 3 s so far")


def test_what_hosts_say_never_drives_the_terminal() -> None:
    evil = finding("new-error", "\x1b[2J\x9b31mgone", blames=True, samples=("\x1b]0;title\x07",))
    bad_host = host("web-1", 0, "failed", trouble="\x1b[H\rfine")
    text = shown(findings=(evil,), hosts=(bad_host,), waiting_for="\x1b[31m[red]x[/red]")
    assert not set("\x1b\x9b\x07\r") & set(text)
    assert "[red]x[/red]" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_picture_fits_any_terminal(width: int) -> None:
    lines = plain(view(info(findings=(KNOWN, BLAMED)), whole=True), width=width).splitlines()
    assert max(map(len, lines)) <= width


def test_the_plan_names_canary_limit_checks_and_time() -> None:
    text = plain(tables.plan(plan()))
    for words_of_it in (
        "canary: web-1",
        "wave 1: web-2, web-3",
        "1 host of 3 out of service",
        "examined for 60 s",
        "1 min 45 s",
    ):
        assert words_of_it in text


def test_a_blocked_release_says_how_it_is_allowed_again() -> None:
    text = plain(tables.release(release(blocked="rolled back in web-7: new error")))
    assert "rolled back in web-7: new error" in text
    assert "noonday release unblock web 1.1.0 --why" in text


def test_a_stranger_is_shown_with_the_command_that_enrols_it() -> None:
    text = plain(tables.hosts(m.Hosts(now=NOW, strangers=(m.Stranger(host="odd-1", last_seen=NOW - 4),))))
    assert "odd-1 reports (4 s ago) and is not enrolled" in text
    assert "noonday enroll odd-1" in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.24, "0.2 s"),
        (9.97, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_are_said_in_two_units(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (123_456, "123 kB"), (2 * 10**9, "2.0 GB")]
)
def test_sizes_are_said_in_one_unit(count: int, said: str) -> None:
    assert words.size(count) == said


def test_an_enrolment_is_toml_that_can_be_pasted() -> None:
    reply = m.Enrolled(host="web-1", agent_toml='host = "web-1"\n', host_key="c2VlZA==", words="web-1 was enrolled.")
    lines = words.enrolled(reply).splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == ['host = "web-1"']
    assert lines[-1] == "# c2VlZA=="


def test_a_token_over_two_lines_is_no_token() -> None:
    with pytest.raises(BadInput, match="holds no token"):
        find_token(None, {"NOONDAY_TOKEN": "one\ntwo"})


def test_a_name_with_a_slash_stays_one_name() -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return httpx.Response(200, json={"words": "done"})

    client = Client("http://here", TOKEN, transport=httpx.MockTransport(answer))
    client.get(f"/rollouts/{part('../hosts?x=1')}", m.Done)
    assert seen == [b"/api/v1/rollouts/..%2Fhosts%3Fx%3D1"]


def test_the_token_is_in_no_error() -> None:
    client = Client("http://here", "secret-token", transport=FakeApi().transport())
    with pytest.raises(BadInput) as caught:
        client.get("/status", m.Status)
    assert "secret-token" not in str(caught.value)
