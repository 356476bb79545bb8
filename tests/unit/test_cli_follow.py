"""Following a rollout or logs: plain lines, JSON lines, restarts of the coordinator, and leaving."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from noonday_coordinator.api import models as m
from support.fake_api import NOW, FakeApi, ended, event, finding, full_api, info
from support.fake_clock import FakeClock
from support.noonday_command import DEPLOY, GONE, noonday, own_home, said

__all__ = ["own_home"]
pytestmark = pytest.mark.usefixtures("own_home")


class LeavingClock(FakeClock):
    """Somebody presses Ctrl-C in the first pause."""

    def sleep(self, seconds: float) -> None:
        raise KeyboardInterrupt


def test_plain_view_says_one_line_for_each_change() -> None:
    events = [event(1, "Stage preparing."), event(2, "web-1 is serving.", "web-1"), event(3, "Drained.", "web-2")]
    result = noonday(full_api().rollout(info(), info(), ended("done"), events=events), *DEPLOY)
    lines = [line.split(" ", 1)[1] for line in result.stdout.splitlines() if line[2:3] == ":"]
    assert lines == ["Stage preparing.", "web-1 is serving.", "web-2 Drained."]


def test_a_long_silence_is_broken_in_the_plain_view() -> None:
    looks = [info()] * 200
    result = noonday(full_api().rollout(*looks, ended("done")), *DEPLOY)
    assert result.stderr.count("42 s more, and 48 more requests") == 1


@pytest.mark.parametrize("terminal", [False, True])
def test_a_coordinator_that_restarts_is_waited_for(terminal: bool) -> None:
    api = full_api().rollout(info(), GONE, GONE, ended("done"))
    result = noonday(api, *DEPLOY, terminal=terminal)
    assert result.exit_code == 0, said(result)
    assert "Waiting for the coordinator" in (result.stdout if terminal else result.stderr)


def test_a_coordinator_that_stays_away_ends_the_view() -> None:
    clock = FakeClock(NOW)
    result = noonday(full_api().rollout(info(), GONE), *DEPLOY, clock=clock)
    assert result.exit_code == 1
    assert "does not answer" in result.stderr
    assert 590 < clock.now() - NOW < 620


@pytest.mark.parametrize("terminal", [False, True])
def test_ctrl_c_leaves_the_rollout_going_and_says_how_to_come_back(terminal: bool) -> None:
    api = full_api().rollout(info())
    result = noonday(api, *DEPLOY, terminal=terminal, clock=LeavingClock(NOW))
    assert result.exit_code == 130, said(result)
    for words in ("web-7 goes on", "noonday status", "noonday abort web"):
        assert words in result.stderr
    assert ("POST", "/apps/web/abort") not in api.calls


def test_findings_follow_a_rollback_with_the_lines_that_prove_it() -> None:
    blamed = finding("new-error", "ERROR new with 1.1.0", blames=True, samples=("KeyError: 'price'",))
    bad = ended("rolled-back").model_copy(update={"findings": (blamed,)})
    result = noonday(full_api().rollout(bad), *DEPLOY)
    assert "Against the release:\n  ERROR new with 1.1.0\n    | KeyError: 'price'\n" in result.stdout


def test_on_a_terminal_the_last_word_stands_below_what_proves_it() -> None:
    blamed = finding("new-error", "ERROR new with 1.1.0", blames=True, samples=("KeyError: 'price'",))
    bad = ended("rolled-back").model_copy(update={"findings": (blamed,)})
    told = noonday(full_api().rollout(bad), *DEPLOY, terminal=True).stdout
    assert told.rindex("Rolled back: ") > told.rindex("KeyError: 'price'")


def test_deploy_tells_json_lines() -> None:
    api = full_api().rollout(info(), ended("rolled-back"), events=[event(1, "Stage preparing.")])
    result = noonday(api, *DEPLOY, "--json")
    assert result.exit_code == 3
    names = [next(iter(json.loads(line))) for line in result.stdout.splitlines()]
    assert names == ["plan", "started", "event", "end"]


def test_json_is_never_drawn_also_at_a_terminal() -> None:
    result = noonday(full_api().rollout(info(), info(asked="Go on?")), *DEPLOY, "--json", terminal=True)
    assert result.exit_code == 5, said(result)
    names = [next(iter(json.loads(line))) for line in result.stdout.splitlines()]
    assert names == ["plan", "started", "asks"]


def test_followed_logs_are_each_told_once_over_a_restart() -> None:
    def line(seq: int, words: str) -> m.LogLineReply:
        return m.LogLineReply(seq=seq, at=NOW, host="web-1", text=words)

    def tell() -> Iterator[m.Logs | Exception]:
        yield m.Logs(app="web", lines=(line(7, "before"),), last=7)
        yield GONE
        yield m.Logs(app="web", lines=(line(1, "after"),), last=1)
        yield KeyboardInterrupt()  # type: ignore[misc]

    status = m.Status(version="0", term=1, now=NOW, since=1.0, broker=m.BrokerStatus(connected=True))
    api = FakeApi().on("GET", "/status", status, status.model_copy(update={"since": 2.0}))
    result = noonday(api.on("GET", "/apps/web/logs", *tell()), "logs", "web", "--follow", "--json")
    assert [json.loads(line)["line"]["text"] for line in result.stdout.splitlines()] == ["before", "after"], said(
        result
    )
    asked = [request.url.params["after"] for request in api.requests if request.url.path.endswith("/logs")]
    assert asked == ["0", "7", "0", "1"]


def test_following_only_new_lines_says_first_what_is_new_and_with_what() -> None:
    def tell() -> Iterator[m.Logs | Exception]:
        for release in ("1.1.0", "1.1.0", "1.2.0"):
            yield m.Logs(app="web", new_with=release)
        yield KeyboardInterrupt()  # type: ignore[misc]

    status = m.Status(version="0", term=1, now=NOW, since=1.0, broker=m.BrokerStatus(connected=True))
    api = FakeApi().on("GET", "/status", status).on("GET", "/apps/web/logs", *tell())
    result = noonday(api, "logs", "web", "--only-new", "--follow")
    assert result.stderr == "Following what is new with 1.1.0.\nFollowing what is new with 1.2.0.\n", said(result)


def test_logs_wait_a_little_for_the_first_lines() -> None:
    api = FakeApi().on("GET", "/apps/web/logs", m.Logs(app="web"))
    result = noonday(api, "logs", "web")
    assert result.exit_code == 0
    assert "No lines yet" in result.stderr
    assert len(api.calls) > 3
