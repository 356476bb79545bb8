"""What was said is neither lost nor counted twice: over restarts, full disks and the verdict's own errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from bench.verdict.world import NEW, OLD, START, Fault, Knobs, default_policy, error_kind, make_world
from noonday_coordinator.core.state import App, AppOnHost, Host, Rollout, State
from noonday_coordinator.core.view import Judgement
from noonday_coordinator.evidence_desk import LONG_WINDOW, EvidenceDesk
from noonday_coordinator.hearing import AT_ONCE
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.windows import WindowStore
from noonday_coordinator.verdict.judge import EvidenceJudge
from noonday_coordinator.verdict.protocol import Session, Trial
from noonday_coordinator.verdict.window import Window
from noonday_shared.messages import Evidence, Template

ERROR = error_kind(0.05).template
WORLD = make_world(Knobs(seed=1, kinds=6, history=120.0, length=10.0), Fault())
ROLLOUT = replace(WORLD.rollout, policy=default_policy(), started_at=START)
HOSTS = {name: Host(name, {"role": "web"}, "") for name in ROLLOUT.members}
ROLLING = State(
    hosts=HOSTS, apps={"web": App("web", current=OLD, active=ROLLOUT.id)}, rollouts={ROLLOUT.id: ROLLOUT}
)  # fmt: skip
QUIET = replace(ROLLING, apps={"web": App("web", current=OLD)})
STEPS = 50
"""Of 10 s; the rollout begins after the thirtieth."""


class Judge(EvidenceJudge):
    """The real one, unless it is told to fail."""

    broken = False

    def open(self, trial: Trial) -> Session:  # type: ignore[override]
        return Broken() if self.broken else super().open(trial)


class Broken(Session):
    def learn(self, templates: Iterable[Template]) -> None:
        raise ZeroDivisionError

    def advance(self, window: Window) -> None:
        raise ZeroDivisionError

    def judgement(self, rollout: Rollout, hosts: Mapping[str, AppOnHost], now: float) -> Judgement:
        return Judgement("promote", "")


@dataclass
class Office:
    """A desk over files, that can be left and opened anew, and hosts that count."""

    folder: Path
    stack: ExitStack
    totals: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)
    judge: Judge = field(default_factory=Judge)

    def __post_init__(self) -> None:
        self.open(START - 400)

    def open(self, since: float) -> None:
        self.windows = self.stack.enter_context(closing(WindowStore.open(self.folder / "windows.sqlite")))
        self.catalogue = self.stack.enter_context(closing(CatalogueStore.open(self.folder / "catalogue.sqlite")))
        self.desk = EvidenceDesk(self.windows, self.catalogue, self.judge, since)

    def tell(self, step: float, host: str) -> None:
        now = at(step)
        new = host == "web-1" and now > START
        epoch = 2 if new else 1
        totals = self.totals.setdefault((host, epoch), {"requests": 0})
        totals["requests"] += 20
        first = ERROR.key not in totals
        if new and step % 2 in (0.5, 1.0):
            totals[ERROR.key] = totals.get(ERROR.key, 0) + 2
        evidence = Evidence(
            host=host, app="web", boot=1, epoch=epoch, seq=int(10 * step) + 5, release=NEW.id if new else OLD.id,
            since=START - 400, sent_at=now, counted_for=now - (START if new else START - 400),
            requests=totals["requests"],
            counts={key: (count, count) for key, count in totals.items() if key != "requests"},
            templates=(ERROR,) if first and ERROR.key in totals else (),
        )  # fmt: skip
        self.desk.add(evidence, now)

    def step(self, step: int) -> Judgement | None:
        for host in HOSTS:
            self.tell(step, host)
        return self.turn(step)

    def turn(self, step: float) -> Judgement | None:
        return self.desk.turn(ROLLING if at(step) > START else QUIET, at(step)).get(ROLLOUT.id)

    def full(self, *, full: bool) -> None:
        """As a disk that takes nothing more."""
        connection: sqlite3.Connection = self.windows._connection
        connection.execute("VACUUM")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages if full else 1 << 30}")

    def requests(self) -> int:
        windows = self.windows.between("web", 0.0, at(10 * STEPS))
        return sum(seen.requests for window in windows for seen in window.hosts.values())


def at(step: float) -> float:
    return START - 300 + 10.0 * step


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with ExitStack() as stack:
        yield Office(tmp_path, stack)


def story(folder: Path, *, restarts: tuple[int, ...]) -> list[Judgement | None]:
    """The judgements of all steps. A coordinator dies when two hosts have told something of which no window was cut."""
    found = []
    folder.mkdir()
    with ExitStack() as stack:
        office = Office(folder, stack)
        for step in range(STEPS):
            for host in ("web-1", "web-2"):
                office.tell(step - 0.5, host)
            office.turn(step - 0.5)
            if step in restarts:
                office.open(at(step - 0.4))
            found.append(office.step(step))
    return found


def test_a_coordinator_killed_in_the_middle_of_windows_judges_alike_to_the_last_bit(tmp_path: Path) -> None:
    calm = story(tmp_path / "calm", restarts=())
    assert story(tmp_path / "killed", restarts=(12, 31, 40, 41)) == calm
    last = calm[-1]
    assert last is not None
    assert last.verdict == "roll back"
    assert [one.key for one in last.findings if one.blames] == [ERROR.key]


def test_a_full_disk_is_told_in_words_and_costs_no_count(office: Office) -> None:
    for step in range(32):
        office.step(step)
    office.full(full=True)
    stuck = [office.step(step) for step in range(32, 40)]
    before = office.requests()
    assert before < 20 * len(HOSTS) * 38
    assert "store of windows can't be written" in office.desk.trouble
    assert "df" in office.desk.trouble
    assert all(judgement is not None for judgement in stuck)
    stuck = [office.step(step) for step in range(40, 50)]
    assert office.requests() == before
    office.full(full=False)
    for step in range(50, 53):
        office.step(step)
    assert office.desk.trouble == ""
    assert office.requests() == 20 * len(HOSTS) * 53


def test_what_waited_for_a_full_disk_is_judged_as_it_is_kept(office: Office) -> None:
    for step in range(32):
        office.step(step)
    office.full(full=True)
    for step in range(32, 46):
        office.step(step)
    office.full(full=False)
    found = office.step(46)
    found = office.step(47)
    office.open(at(47))
    assert office.turn(47) == found
    assert found is not None
    assert found.verdict == "roll back"


def test_a_rollout_whose_trial_can_not_be_kept_is_not_judged_until_it_is(office: Office) -> None:
    for step in range(31):
        office.step(step)
    office.windows._connection.execute("PRAGMA query_only = ON")
    assert office.step(31) is None
    assert "readonly" in office.desk.trouble
    office.windows._connection.execute("PRAGMA query_only = OFF")
    assert office.step(32) is not None
    assert office.windows.trial(ROLLOUT.id) is not None


def test_an_error_of_the_verdicts_own_holds_its_rollout_and_stops_nothing(office: Office) -> None:
    office.judge.broken = True
    for step in range(35):
        found = office.step(step)
    assert found is not None
    assert (found.verdict, office.desk.trouble) == ("hold", "")
    assert "an error of its own" in found.reason
    assert office.requests() > 0


def test_half_of_the_evidence_is_no_verdict_after_a_restart(office: Office) -> None:
    for step in range(32):
        office.step(step)
    window = Window(at(31), {})
    office.windows.append("web", [window] * (2 * AT_ONCE), {}, rollout=ROLLOUT.id, at=at(31))
    office.open(at(32))
    assert [office.turn(32) is None for _ in range(4)] == [True, True, False, False]


def test_a_rollout_that_waits_for_days_fills_no_disk(office: Office) -> None:
    for step in range(31):
        office.step(step)
    for step in range(9000, 9060):
        office.step(step)
    ends = [window.ends for window in office.windows.of_rollout(ROLLOUT.id)][-5:]
    assert all(later - earlier >= LONG_WINDOW - 10 for earlier, later in pairwise(ends))


def test_kept_counts_that_no_version_can_read_are_begun_anew(office: Office) -> None:
    for step in range(5):
        office.step(step)
    office.windows._connection.execute("UPDATE bases SET body = x'00'")
    office.open(at(5))
    assert "can't be read" in office.desk.trouble
    for step in range(5, 10):
        office.step(step)
    assert office.desk.trouble == ""
