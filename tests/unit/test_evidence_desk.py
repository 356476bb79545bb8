from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from bench.verdict.world import NEW, OLD, START, Fault, Knobs, default_policy, error_kind, make_world, template
from noonday_coordinator.core.state import App, Host, State
from noonday_coordinator.evidence_desk import EvidenceDesk
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.windows import KEPT, ROLLOUTS, WindowStore
from noonday_coordinator.verdict.judge import EvidenceJudge, replay
from noonday_coordinator.verdict.protocol import Trial
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.errors import Permanent
from noonday_shared.messages import Evidence

ERROR = error_kind(0.05).template
WORLD = make_world(Knobs(seed=1, kinds=6, history=120.0, length=60.0), Fault("new", kinds=(error_kind(0.2),)))


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[WindowStore]:
    with closing(WindowStore.open(tmp_path / "windows.sqlite")) as store:
        yield store


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[CatalogueStore]:
    with closing(CatalogueStore.open(tmp_path / "catalogue.sqlite")) as store:
        yield store


def saw(key: str, ends: float = START, *, release: str = OLD.id, age: float = 0.0, host: str = "web-1") -> Window:
    seen = HostWindow(release, 10.0, requests=10, counts={key: (3, 2)}, age=age)
    return Window(ends, {host: seen}, (ERROR,) if key == ERROR.key else ())


def test_a_trial_and_its_windows_come_back_equal_and_are_judged_alike(windows: WindowStore) -> None:
    windows.keep(WORLD.trial)
    windows.append("web", WORLD.windows, {}, rollout="web-1", at=START)
    trial, kept = windows.trial("web-1"), windows.of_rollout("web-1")
    assert trial == WORLD.trial
    assert kept == tuple(WORLD.windows)
    assert trial is not None
    assert replay(trial, kept) == replay(WORLD.trial, WORLD.windows)


def test_old_windows_go_but_those_of_rollouts_stay(windows: WindowStore) -> None:
    windows.append("web", [saw("a", START)], {}, at=START)
    windows.append("web", [saw("b", START + 1)], {}, rollout="web-1", at=START)
    windows.append("web", [saw("c", START + KEPT + 5)], {}, at=START + KEPT + 5)
    assert [set(one.hosts["web-1"].counts) for one in windows.between("web", 0.0, START + 2 * KEPT)] == [{"b"}, {"c"}]


def test_only_the_newest_rollouts_can_be_replayed(windows: WindowStore) -> None:
    for number in range(ROLLOUTS + 1):
        rollout = replace(WORLD.rollout, id=f"r{number}")
        windows.keep(Trial(rollout))
        windows.append("web", [saw("a")], {}, rollout=rollout.id, at=START)
    assert windows.trial("r0") is None
    assert windows.of_rollout("r0") == ()
    assert windows.trial("r1") is not None


def test_large_rollouts_make_room_sooner_but_never_the_newest(
    windows: WindowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noonday_coordinator.store.windows.ROLLOUTS_BYTES", 10_000)
    for number in range(4):
        windows.keep(Trial(replace(WORLD.rollout, id=f"r{number}")))
        windows.append("web", WORLD.windows * 2, {}, rollout=f"r{number}", at=START)
    assert [windows.trial(f"r{number}") is not None for number in range(4)] == [False, False, False, True]
    assert len(windows.of_rollout("r3")) == 2 * len(WORLD.windows)


def test_a_damaged_store_is_refused_in_words(tmp_path: Path) -> None:
    broken = tmp_path / "windows.sqlite"
    broken.write_bytes(b"not a database, but long enough to be taken for one" * 20)
    with pytest.raises(Permanent, match="store of windows"):
        WindowStore.open(broken)


def test_the_catalogue_counts_by_release_host_and_start_and_survives(tmp_path: Path) -> None:
    with closing(CatalogueStore.open(tmp_path / "kept.sqlite")) as store:
        store.note("web", saw(ERROR.key, age=30.0))
        store.note("web", saw(ERROR.key, START + 10, release=NEW.id, age=9000.0, host="web-2"))
        before = store.frozen("web")
    with closing(CatalogueStore.open(tmp_path / "kept.sqlite")) as store:
        assert store.frozen("web") == before
    entry = before.entries[ERROR.key]
    assert (entry.records, entry.episodes, entry.at_start) == (6, 4, 2)
    assert (entry.releases, entry.hosts) == ({OLD.id: 2, NEW.id: 2}, {"web-1": 2, "web-2": 2})
    assert (before.seconds, before.start_seconds) == (20.0, 10.0)


def test_a_cluster_keeps_its_number_for_ever(tmp_path: Path) -> None:
    one, two = template("user anna logged in from home"), template("user bert logged in from home")
    with closing(CatalogueStore.open(tmp_path / "kept.sqlite")) as store:
        store.note("web", Window(START, {}, (one, ERROR)))
        first = store.frozen("web").entries[one.key].cluster
    with closing(CatalogueStore.open(tmp_path / "kept.sqlite")) as store:
        store.note("web", Window(START, {}, (two,)))
        found = store.frozen("web")
    assert found.entries[two.key].cluster == first != found.entries[ERROR.key].cluster
    assert "<*>" in found.clusters[first].tokens


def test_records_of_releases_that_never_went_well_are_unknown(catalogue: CatalogueStore) -> None:
    catalogue.note("web", saw(ERROR.key, release=NEW.id))
    assert catalogue.frozen("web", untrusted=[NEW.id]).known(ERROR.key) is None
    assert catalogue.frozen("web").known(ERROR.key) is not None


@pytest.fixture
def few_entries(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many a catalogue may hold: fewer than usual, so that filling it takes no time."""
    monkeypatch.setattr("noonday_coordinator.store.catalogue.MOST", 2000)
    return 2000


def words(number: int) -> str:
    """A text that is like no other one."""
    digits = f"{number:05d}".translate(str.maketrans("0123456789", "abcdefghij"))
    return f"{digits}x {digits}y {digits}z"


def test_a_flood_of_garbage_drives_out_garbage_only(catalogue: CatalogueStore, few_entries: int) -> None:
    few = tuple(template(f"kind {chr(97 + number)}") for number in range(3))
    catalogue.note("web", Window(START, {}, few))
    flood = tuple(template(f"garbage number {number} of many") for number in range(few_entries))
    catalogue.note("web", Window(START + 10, {}, flood))
    entries = catalogue.frozen("web").entries
    assert len(entries) <= few_entries
    assert {one.key for one in few} <= set(entries)


def test_a_flood_that_is_like_nothing_forgets_the_oldest_but_no_caveat_and_nothing_frequent(
    tmp_path: Path, few_entries: int
) -> None:
    few = tuple(template(f"kind {chr(97 + number)}") for number in range(3))
    often, caveat, once = few
    with closing(CatalogueStore.open(tmp_path / "kept.sqlite")) as store:
        store.note("web", replace(saw(often.key), templates=few))
        flood = tuple(template(words(number)) for number in range(few_entries))
        store.note("web", Window(START + 10, {}, flood), caveats={caveat.key})
        kept = store.frozen("web")
    assert len(kept.entries) <= few_entries
    assert {one.key for one in few} & set(kept.entries) == {often.key, caveat.key}
    assert once.key not in kept.entries
    assert len(kept.clusters) <= len(kept.entries) + 1
    with closing(CatalogueStore.open(tmp_path / "kept.sqlite")) as store:
        assert store.frozen("web") == kept
        store.note("web", Window(START + 20, {}, (template("something else"),)))
        newest = max(store.frozen("web").clusters)
    assert newest > max(kept.clusters)


def test_counts_of_the_last_minute_are_written_when_the_store_is_closed(tmp_path: Path) -> None:
    with closing(CatalogueStore.open(tmp_path / "kept.sqlite")) as store:
        for step in range(3):
            store.note("web", saw(ERROR.key, START + 10 * step))
        before = store.frozen("web")
    with closing(CatalogueStore.open(tmp_path / "kept.sqlite")) as store:
        assert store.frozen("web") == before
    assert before.entries[ERROR.key].records == 9


class Fleet:
    """Evidence for a desk: each host's counts grow by what it is told."""

    def __init__(self) -> None:
        self.seq = 0
        self.totals: dict[str, dict[str, tuple[int, int]]] = {}

    def evidence(self, host: str, now: float, counts: dict[str, int], release: str, epoch: int) -> Evidence:
        self.seq += 1
        totals = self.totals.setdefault(f"{host} {epoch}", {})
        for key, more in counts.items():
            known = totals.get(key, (0, 0))
            totals[key] = (known[0] + more, known[1] + more)
        requests = totals["requests"][0]
        return Evidence(
            host=host, app="web", boot=1, epoch=epoch, seq=self.seq, release=release, sent_at=now,
            since=START - 400 if epoch == 1 else START, requests=requests,
            counts={key: one for key, one in totals.items() if key != "requests"},
            templates=(ERROR,) if ERROR.key in counts else (),
        )  # fmt: skip


def test_a_desk_that_starts_again_in_the_middle_comes_to_the_same_judgement(tmp_path: Path) -> None:
    rollout = replace(WORLD.rollout, policy=default_policy(), started_at=START)
    hosts = {name: Host(name, {"role": "web"}, "") for name in rollout.members}
    state = State(hosts=hosts, apps={"web": App("web", current=OLD, active=rollout.id)}, rollouts={rollout.id: rollout})
    quiet = replace(state, apps={"web": App("web", current=OLD)})

    def story(folder: Path, *, restart: bool) -> tuple[str, str, dict[str, int]]:
        fleet, stack = Fleet(), ExitStack()
        with stack:
            desk = _desk(folder, stack, START - 400)
            for step in range(60):
                now = START - 300 + 10.0 * step
                if restart and step == 40:
                    desk = _desk(folder, stack, now)
                for name in hosts:
                    new = name == "web-1" and now > START
                    counts = {"requests": 20, **({ERROR.key: 2} if new and step % 2 else {})}
                    release, epoch = (NEW.id, 2) if new else (OLD.id, 1)
                    desk.add(fleet.evidence(name, now, counts, release, epoch), now)
                found = desk.turn(state if now > START else quiet, now).get(rollout.id)
            assert found is not None
            return found.verdict, found.reason, found.findings[0].counts

    assert story(tmp_path / "one", restart=False) == story(tmp_path / "two", restart=True)
    verdict, reason, counts = story(tmp_path / "three", restart=True)
    assert verdict == "roll back"
    assert "never in" in reason
    assert counts == {"web-1": 30}


def _desk(folder: Path, stack: ExitStack, since: float) -> EvidenceDesk:
    windows = stack.enter_context(closing(WindowStore.open(folder / "windows.sqlite")))
    catalogue = stack.enter_context(closing(CatalogueStore.open(folder / "catalogue.sqlite")))
    return EvidenceDesk(windows, catalogue, EvidenceJudge(), since)
