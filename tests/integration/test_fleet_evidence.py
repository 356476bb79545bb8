"""What people see of a bad release on a real fleet, and how they say that it is known."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.coordinator_process import NOONDAY
from support.eventually import eventually
from support.fleet import Fleet

WORDS = "the cashier lost the key of till"
"""Its own words: the fleet keeps its catalogue, and what all hosts served once is not new in another test."""


def test_a_bad_release_is_seen_compared_followed_and_accepted(fleet: Fleet, tmp_path: Path) -> None:
    fleet.policy(examine=12)
    version = fleet.push(f"errors {WORDS}")
    lines = tmp_path / "lines"
    with fleet.load(clients=1) as load, following(fleet, lines):
        load.after(20)
        rollout = fleet.begin(version)
        key = seen_live(fleet, rollout)
        end = fleet.ended(rollout)
        assert end.end == "rolled-back", end.reason
        recorded(fleet, rollout, key)
        judged_again(fleet, rollout, "roll back")
        both_sides(fleet, rollout, key)
        told = eventually(lambda: [one for one in lines.read_text().splitlines() if WORDS in one], what="new lines")
        assert all(version in line and "web-1" in line for line in told)
        others = [one for one in lines.read_text().splitlines() if WORDS not in one]
        # That it starts is new as well, where nobody has seen one start before.
        assert not [one for one in others if "tiny:" in one and not one.endswith(" is up")], others

        fleet.ok("caveats", "accept", "web", key[:8], "--reason", "prices come later")
        (caveat,) = fleet.ok("caveats", "list", "web")["caveats"]
        assert (caveat["key"], caveat["status"], caveat["why"]) == (key, "accepted", "prices come later")
        fleet.ok("release", "unblock", "web", version, "--why", "it is known")
        fleet.coordinator.stop()
        fleet.coordinator.start()
        fleet.all_heard()
        again = fleet.begin(version)
        done = fleet.ended(again)
        assert done.end == "done", (done.reason, done.asked)
    judged_again(fleet, again, "promote")
    found = [one for one in done.findings if WORDS in one.text]
    assert [(one.excuse, one.blames, one.holds) for one in found] == [("caveat", False, False)]
    assert f"a caveat, accepted by {caveat['by']}" in found[0].words
    shown = fleet.cli("findings", again).out
    assert "Caveats, marked by people:" in shown
    fleet.ok("caveats", "forget", "web", key, "--reason", "the test is over")
    assert fleet.ok("caveats", "list", "web")["caveats"] == []


def seen_live(fleet: Fleet, rollout: str) -> str:
    """The key of the error, found while the rollout is under way."""

    def look() -> str:
        found = fleet.ok("findings", rollout)
        return next((one["key"] for one in found["findings"] if WORDS in one["text"]), "")

    return eventually(look, what=f"a finding in {rollout}", within=60.0, every=0.3)


def judged_again(fleet: Fleet, rollout: str, verdict: str) -> None:
    """By what was kept of it: the same, bit for bit."""
    value = fleet.ok("replay", rollout)
    assert value["same"], value["kept"]
    assert [(one["verdict"], one["again"]) for one in value["kept"]] == [(verdict, verdict)]


def recorded(fleet: Fleet, rollout: str, key: str) -> None:
    found = fleet.ok("findings", rollout)
    assert (found["live"], found["verdict"]) == (False, "roll back")
    blamed: list[dict[str, Any]] = [one for one in found["findings"] if one["blames"]]
    assert [one["key"] for one in blamed] == [key]
    assert blamed[0]["rate_here"] > blamed[0]["rate_there"] == 0
    assert blamed[0]["e"] > 20
    assert any(WORDS in sample for sample in blamed[0]["samples"])
    text = fleet.cli("findings", rollout).out
    assert "Against the release:" in text
    assert f"key {key}" in text


def both_sides(fleet: Fleet, rollout: str, key: str) -> None:
    found = fleet.ok("compare", rollout)
    assert (found["canary"]["hosts"], found["controls"]["hosts"]) == (["web-1"], ["web-2"])
    assert found["canary"]["requests"] > 0
    assert found["canary"]["errors"] > found["controls"]["errors"] == 0
    assert found["canary"]["rss"] > 1e6
    assert found["changes"][0]["key"] == key
    assert "canary" in fleet.cli("compare", "web").out


@contextmanager
def following(fleet: Fleet, out: Path) -> Iterator[None]:
    """`noonday logs web --only-new --follow` as a process, its output in `out`."""
    argv = [str(NOONDAY), "logs", "web", "--only-new", "--follow"]
    with out.open("w") as file:
        process = subprocess.Popen(argv, env=os.environ | fleet.env(), stdout=file, stderr=file)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
