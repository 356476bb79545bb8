"""`noonday export` and `noonday audit`, against the real API."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from starlette.testclient import TestClient

from noonday_coordinator.api import export as module
from noonday_coordinator.api.app import make_app
from noonday_coordinator.api.context import Context
from noonday_coordinator.cli.main import main
from noonday_coordinator.cli.session import Seams
from noonday_coordinator.core import events as e
from noonday_coordinator.core.commands import Deploy
from noonday_shared.keys import SigningKey
from support.fake_clock import FakeClock
from support.fake_engine import TOKEN, FakeEngine, close_context, make_context
from support.into_app import IntoApp
from support.noonday_command import own_home

__all__ = ["own_home"]
pytestmark = pytest.mark.usefixtures("own_home")

BLAMED = e.Finding(
    "k1", "new-error", True, "KeyError new with 1.1.0: 31 records", samples=("\u2028 KeyError: 'x'\x85",)
)


@dataclass
class Fleet:
    context: Context
    transport: IntoApp

    def noonday(self, *args: str) -> Result:
        return CliRunner().invoke(main, args, obj=Seams(self.transport), env={"NOONDAY_TOKEN": TOKEN})

    def lines(self, *args: str) -> list[dict[str, Any]]:
        done = self.noonday("export", *args)
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Two apps; one rollout of web that went back, with a finding."""
    context = make_context(tmp_path, FakeClock(), SigningKey.new())
    engine = context.engine
    assert isinstance(engine, FakeEngine)
    for app in ("web", "api"):
        old = engine.push("1.0.0", app)
        for number in (1, 2):
            engine.serve(f"{app}-{number}", app, old)
    engine.push("1.1.0")
    engine.submit(Deploy("web", "1.1.0", context.policies.of("web")), "bob")
    engine.serve("web-1", "web", old)
    engine.keep(
        e.VerdictReached("r1", "roll back", "KeyError", 200, (BLAMED,)),
        e.RolloutEnded("r1", e.End.ROLLED_BACK, "KeyError"),
    )
    with TestClient(make_app(context)) as client:
        yield Fleet(context, IntoApp(client))
    close_context(context)


def test_a_rollout_is_exported_host_by_host_with_who_when_and_why(fleet: Fleet) -> None:
    head, rollout, *events, end = fleet.lines("r1")
    assert head["export"]["scope"] == "r1"
    assert head["export"]["format"] == 1
    assert rollout["rollout"]["by"] == "bob"
    assert rollout["rollout"]["end"] == "rolled-back"
    assert [host["report"]["live"] for host in rollout["rollout"]["hosts"]] == ["1.0.0-312e302e"] * 2
    assert rollout["rollout"]["findings"][0]["samples"] == list(BLAMED.samples)
    told = [event["event"] for event in events]
    assert [one["kind"] for one in told] == [
        *("rollout-started", "stage-entered", "host-reported", "verdict-reached", "rollout-ended"),
    ]
    assert told[2]["host"] == "web-1"
    assert all(set(one) == {*KEYS} for one in told)
    assert {(one["app"], one["rollout"]) for one in told} == {("web", "r1")}
    assert end["end"] == {"rollouts": 1, "events": 5, "last": told[-1]["seq"], "hash": told[-1]["hash"]}


KEYS = ("seq", "at", "by", "kind", "words", "app", "rollout", "host", "data", "hash")


def test_an_app_and_everything_are_exported_in_pages_without_a_gap(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    every = [line["event"] for line in fleet.lines("--all") if "event" in line]
    assert [one["seq"] for one in every] == list(range(1, fleet.context.log.head.seq + 1))
    assert every[-1]["hash"] == fleet.context.log.head.hash
    for app in ("web", "api"):
        of_app = [line["event"] for line in fleet.lines("--app", app) if "event" in line]
        assert of_app == [one for one in every if one["app"] == app]
    assert [line for line in fleet.lines("--app", "api") if "rollout" in line] == []


@pytest.mark.parametrize("args", [(), ("r1", "--all"), ("--app", "web", "--all")])
def test_an_export_of_nothing_or_of_two_things_is_refused(fleet: Fleet, args: tuple[str, ...]) -> None:
    assert fleet.noonday("export", *args).exit_code == 2


@pytest.mark.parametrize("args", [("r9",), ("--app", "wep")])
def test_an_export_of_what_is_not_there_names_the_nearest(fleet: Fleet, args: tuple[str, ...]) -> None:
    done = fleet.noonday("export", *args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "r1" in done.stderr or "web" in done.stderr


def test_an_export_that_was_cut_off_says_so(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_line", lambda name, value: "" if name == "end" else json.dumps({name: value}) + "\n")
    done = fleet.noonday("export", "--all")
    assert done.exit_code == 1
    assert "cut off" in done.stderr


def test_the_audit_says_that_all_is_as_it_was_written_and_prints_the_head(fleet: Fleet) -> None:
    done = fleet.noonday("audit")
    assert done.exit_code == 0
    log = fleet.context.log
    assert done.stdout == f"All {log.head.seq} records are as they were written.\nHead: {log.head}\n"
    value = json.loads(fleet.noonday("audit", "--json").stdout)
    assert (value["whole"], value["chained_from"], value["head"]) == (True, 1, str(log.head))


def test_the_audit_names_the_first_broken_record(fleet: Fleet) -> None:
    with closing(sqlite3.connect(fleet.context.log.path)) as raw, raw:
        raw.execute("UPDATE events SET by = 'nobody' WHERE seq = 5")
    done = fleet.noonday("audit")
    assert done.exit_code == 4
    assert "Record 5 of the event log is not as it was written. The 4 records before it are" in done.stdout
    assert json.loads(fleet.noonday("audit", "--json").stdout)["broken"] == 5
    assert "Record 5" in fleet.noonday("doctor").stdout


def test_a_noted_head_shows_an_end_that_was_cut_off(fleet: Fleet, tmp_path: Path) -> None:
    head = str(fleet.context.log.head)
    seq = fleet.context.log.head.seq
    assert fleet.noonday("audit", "--head", head).exit_code == 0
    with closing(sqlite3.connect(fleet.context.log.path)) as raw, raw:
        raw.execute("DELETE FROM events WHERE seq > ?", (seq - 2,))
    done = fleet.noonday("audit", "--head", head)
    assert done.exit_code == 4
    assert f"ends at record {seq - 2}, and record {seq} was noted" in done.stdout
    assert fleet.noonday("audit", "--head", "17").exit_code == 2


def test_a_noted_head_shows_a_log_that_was_written_anew(fleet: Fleet) -> None:
    done = fleet.noonday("audit", "--head", f"3:{'0' * 64}")
    assert done.exit_code == 4
    assert "Record 3 of the event log, or one before it, is another one than was noted." in done.stdout


def test_a_file_is_audited_without_a_coordinator(fleet: Fleet, tmp_path: Path) -> None:
    done = fleet.noonday("audit", "--log", str(fleet.context.log.path), "--url", "http://127.0.0.1:1")
    assert done.exit_code == 0
    done = fleet.noonday("audit", "--log", str(tmp_path / "nothing"))
    assert done.exit_code == 1
    assert "can't be read" in done.stderr


def test_a_deploy_is_refused_before_the_disk_is_quite_full(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(fleet.context.engine, FakeEngine)
    fleet.context.engine.push("1.2.0")
    nearly = shutil.disk_usage("/")._replace(free=3 << 20)
    monkeypatch.setattr("noonday_coordinator.api.context.shutil.disk_usage", lambda _: nearly)
    before = fleet.context.log.head
    done = fleet.noonday("deploy", "web", "1.2.0", "--yes")
    assert done.exit_code == 1
    assert "Only 3 MB are free" in done.stderr
    assert "Next: free space there: df -h" in done.stderr
    assert fleet.context.log.head == before


def test_the_doctor_notices_hosts_that_follow_a_greater_term_than_this_one(fleet: Fleet) -> None:
    engine = fleet.context.engine
    assert isinstance(engine, FakeEngine)
    assert "term" not in fleet.noonday("doctor").stdout.split()
    report = engine.state.hosts["web-1"].app("web").report
    assert report is not None
    engine.keep(e.HostReported("web-1", "web", replace(report, term=9)))
    done = fleet.noonday("doctor")
    assert done.exit_code == 4
    assert "web-1: the term there is 9, and here 1, so nothing that is said here is obeyed." in done.stdout
