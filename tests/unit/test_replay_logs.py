"""Plain logs judged, by the command and beneath it. The logs are the example's, and others of its kind."""

from __future__ import annotations

import json
import random
import re
import shlex
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from examples.logs.make import FOLDER, Server, files, logs
from noonday_coordinator.cli.main import main
from noonday_coordinator.cli.output import plain
from noonday_coordinator.cli.replay_view import logs as logs_view
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.replay.logs import Outcome, judge_logs
from noonday_coordinator.replay.notes import notes_on
from noonday_shared.errors import BadInput
from support.coordinator_process import NOONDAY
from support.noonday_command import own_home, said

__all__ = ["own_home"]
pytestmark = pytest.mark.usefixtures("own_home")

ROOT = Path(__file__).parents[2]
STAMP = re.compile(r"^\d{4}-\d\d-\d\d \S+ | \[[^]]+\]", re.MULTILINE)


def put(folder: Path, servers: Iterable[Server], *, without: str = "", stamped: bool = True) -> Path:
    for server in servers:
        (folder / server.name).mkdir(parents=True)
        for name, text in logs(server).items():
            if name != without:
                (folder / server.name / name).write_text(text if stamped else STAMP.sub("", text))
    return folder


def servers(side: str, day: int, *numbers: int) -> list[Server]:
    return [Server(side, f"web-{number}", day) for number in numbers]


@cache
def example() -> Outcome:
    return judge_logs(FOLDER / "old", FOLDER / "new")


def replay(old: Path, new: Path, *args: str) -> Result:
    return CliRunner().invoke(main, ["replay", "--logs", str(old), str(new), *args])


def test_the_example_is_as_its_maker_makes_it() -> None:
    assert {path: path.read_text() for path in files()} == files()


def test_the_new_error_of_the_example_is_found_with_its_lines() -> None:
    blamed = [one for one in example().findings if one.blames]
    assert example().verdict == "roll back"
    assert {one.unit for one in blamed if one.kind == "statuses"} == {"status:5xx"}
    (error,) = [one for one in blamed if one.kind == "new-error"]
    assert error.text == "KeyError in shop/pricing.py price < shop/orders.py place"
    assert error.e > 20
    assert error.rate_here > 0.03
    assert error.rate_there == 0
    assert len(error.samples) == 3
    assert all(sample.endswith("KeyError: None") for sample in error.samples)
    assert set(error.counts) == {"web-1", "web-2"}


def test_what_the_old_release_shows_too_is_known_and_apart() -> None:
    (known,) = [one for one in example().findings if one.kind == "known-error"]
    assert known.text.startswith("bank did not answer")
    assert not known.blames
    assert known.rate_there > 0.01


def test_yesterdays_old_logs_lie_beside_todays_new_ones() -> None:
    found = example()
    assert "time of day: the old logs are from 1 day earlier" in found.alignment
    assert found.at is not None
    assert found.new.begin is not None
    assert 0 < found.at - found.new.begin <= 600
    assert (found.old.requests, found.new.requests) == (485, 465)


def test_the_same_release_again_is_promoted_by_the_time_of_day_and_at_the_same_time(tmp_path: Path) -> None:
    later = judge_logs(put(tmp_path / "a", servers("old", 0, 1, 2)), put(tmp_path / "b", servers("old", 1, 3, 4)))
    assert later.verdict == "promote", later.reason
    beside = judge_logs(tmp_path / "a", put(tmp_path / "c", servers("old", 0, 5, 6)))
    assert beside.verdict == "promote", beside.reason
    assert "side by side" in beside.alignment


def test_one_server_before_and_after_its_release_is_compared_with_its_own_past(tmp_path: Path) -> None:
    old = put(tmp_path / "old", servers("old", 0, 1, 2, 3))
    parts = (old / "web-1", tmp_path / "new" / "web-1")
    parts[1].mkdir(parents=True)
    for name in ("app.log", "access.log"):
        lines = (old / "web-1" / name).read_text().splitlines(keepends=True)
        middle = next(number for number, line in enumerate(lines) if re.search(r"[ :]09:04:", line))
        for part, some in zip(parts, (lines[:middle], lines[middle:]), strict=True):
            (part / name).write_text("".join(some))
    found = judge_logs(old, tmp_path / "new", Policy(app="logs", hosts={"a": "b"}, least_requests=100))
    assert found.verdict == "promote", found.reason
    assert found.history == "the old release's logs from before the new one's"
    assert found.new.hosts == ("web-1",)


def test_free_text_that_both_sides_have_is_no_news_however_many_kinds_it_makes(tmp_path: Path) -> None:
    for side, day in (("old", 2), ("new", 3)):
        chance = random.Random(side)
        lines = [
            f"2026-03-0{day} 09:{turn // 60:02d}:{turn % 60:02d} {level} shop: {words(chance)}"
            for turn in range(600)
            for level in ("ERROR" if turn % 5 == 0 else "INFO",)
        ]
        (tmp_path / side).mkdir()
        (tmp_path / side / "web-1.log").write_text("\n".join(lines))
    assert judge_logs(tmp_path / "old", tmp_path / "new").verdict != "roll back"


def words(chance: random.Random) -> str:
    return " ".join("".join(chance.choices("abcdefghij", k=6)) for _ in range(4))


def test_without_access_logs_it_goes_by_time_and_says_so(tmp_path: Path) -> None:
    old = put(tmp_path / "old", servers("old", 0, 1, 2), without="access.log")
    found = judge_logs(old, put(tmp_path / "new", servers("new", 1, 1, 2), without="access.log"))
    assert (found.verdict, found.by_requests) == ("roll back", False)
    notes = notes_on(found)
    assert any("There are no access lines" in note for note in notes)
    assert any(note.startswith(f"A new error in {found.least_found} different seconds ") for note in notes)


def test_lines_without_times_are_spread_evenly_and_it_says_so(tmp_path: Path) -> None:
    old = put(tmp_path / "old", servers("old", 0, 1, 2), stamped=False)
    found = judge_logs(old, put(tmp_path / "new", servers("new", 1, 1, 2), stamped=False))
    assert (found.verdict, found.at, found.new.begin) == ("roll back", None, None)
    assert "lines tell no times" in found.alignment
    assert any("spread evenly" in note and "No time and no rate here" in note for note in notes_on(found))
    assert "windows of" not in plain(logs_view(found))


def test_too_little_is_a_hold_that_says_of_what(tmp_path: Path) -> None:
    old = put(tmp_path / "old", servers("old", 0, 1))
    for name, text in logs(Server("old", "web-9", 1)).items():
        path = tmp_path / "new" / "web-1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = [line for line in text.splitlines(keepends=True) if re.search(r"[ :]09:0[01]:", line)]
        path.write_text("".join(begun))
    found = judge_logs(old, tmp_path / "new")
    assert found.verdict == "hold"
    assert re.search(r"too few requests: \d\d of 200 on the new release", found.reason)
    notes = " ".join(notes_on(found))
    assert "There is one host with the old release" in notes
    assert "The new logs cover" in notes


def test_an_error_log_that_has_a_single_line_promises_nothing(tmp_path: Path) -> None:
    for side in ("old", "new"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "web-1.log").write_text("2026-03-03 09:00:00 ERROR shop: no\n")
    found = judge_logs(tmp_path / "old", tmp_path / "new")
    assert found.verdict == "hold"
    assert "too few lines" in found.reason


@pytest.mark.parametrize(("old", "new"), [(".", "."), (".", "new"), ("new", ".")])
def test_the_same_folder_twice_is_refused(tmp_path: Path, old: str, new: str) -> None:
    put(tmp_path / "new", servers("old", 0, 1))
    with pytest.raises(BadInput, match="the same logs, or one lies in the other"):
        judge_logs(tmp_path / old, tmp_path / new)


def test_the_command_tells_all_of_it_and_ends_with_a_status_for_scripts(tmp_path: Path) -> None:
    told = replay(FOLDER / "old", FOLDER / "new")
    assert told.exit_code == 3, said(told)
    for words in (
        "2 hosts (each subfolder is a host)",
        "Verdict: roll back.",
        "It would have gone back at",
        "To know:",
    ):
        assert words in told.stdout
    lenient = tmp_path / "policy.toml"
    lenient.write_text(
        'app = "shop"\nhosts = { role = "web" }\n'
        'overrides = [{ match = "KeyError", action = "ignore" }, { match = "status:5xx", action = "hold" }]\n'
    )
    held = replay(FOLDER / "old", FOLDER / "new", "--policy", str(lenient), "--json")
    assert held.exit_code == 5, said(held)
    value = json.loads(held.stdout)
    assert (value["verdict"], value["at"]) == ("hold", None)
    assert value["notes"]


def test_what_can_not_be_judged_is_said_in_a_sentence(tmp_path: Path) -> None:
    refused = replay(tmp_path, FOLDER / "new")
    assert refused.exit_code == 2
    assert "holds no log lines" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_the_readme_says_about_yesterdays_logs_can_be_typed() -> None:
    section = (ROOT / "README.md").read_text().partition("## Try it on yesterday's logs, in one minute")[2]
    block = re.findall(r"^```sh\n(.*?)^```$", section.partition("\n## ")[0], re.MULTILINE | re.DOTALL)[0]
    lines = [line for line in block.splitlines() if "noonday replay" in line]
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        done = subprocess.run([str(NOONDAY), *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, "Verdict: roll back." in done.stdout or '"roll back"' in done.stdout) == (3, True)
