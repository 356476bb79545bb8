"""What a rollout costs once it has ended: a coordinator lives through thousands of them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.long_log import write
from noonday_coordinator.api import show
from noonday_coordinator.core import events as e
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.core.sharing import shared
from noonday_coordinator.core.state import App, Rollout, State
from noonday_coordinator.store import lines as lines_module
from noonday_coordinator.store.catalogue import MOST_RELEASES, CatalogueStore
from noonday_coordinator.store.event_log import EventLog, _Scopes
from noonday_coordinator.store.folded import _STATE
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.verdict.window import HostWindow, Window
from noonday_shared.messages import Evidence, Template
from noonday_shared.messages.evidence import LogLine
from noonday_shared.release.manifest import HookFiles, ReleaseManifest
from support.story import NEW, OLD, OLDER, Story

BEFORE, MORE = 5, 20
BYTES = 1000
"""Of one more rollout on four hosts, and its release; pickled, which leaves out what each object costs by itself."""


@dataclass(frozen=True)
class Long:
    log: EventLog
    few: State
    many: State


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Long]:
    """A log of rollouts on four hosts, each with a verdict of five findings, and what it adds up to."""
    with closing(EventLog.open(tmp_path_factory.mktemp("log") / "events.sqlite")) as log:
        write(log, BEFORE + MORE)
        records = log.read()
        ends = [number for number, one in enumerate(records, 1) if isinstance(one.event, e.RolloutEnded)]
        yield Long(log, fold(records[: ends[BEFORE - 1]]), fold(records))


def test_an_ended_rollout_and_its_release_are_kept_small(long: Long) -> None:
    grown = len(pickle.dumps(long.many)) - len(pickle.dumps(long.few))
    assert len(long.many.rollouts) - len(long.few.rollouts) == MORE
    assert grown / MORE < BYTES


@pytest.mark.parametrize("how", ["folded from the log", "read from a file"])
def test_equal_policies_and_releases_are_one_object(long: Long, how: str) -> None:
    state = long.many
    if how == "read from a file":
        state = shared(_STATE.validate_json(_STATE.dump_json(state)))
        assert state == long.many
    one_each(state)


def one_each(state: State) -> None:
    app, rollouts = state.app("web"), list(state.rollouts.values())
    assert len({id(one.policy) for one in rollouts}) == 1
    assert all(named(app, one) for one in rollouts[1:])


def named(app: App, rollout: Rollout) -> bool:
    assert rollout.previous is not None
    was = app.releases[rollout.previous.version].ref
    return rollout.release is app.releases[rollout.release.version].ref and rollout.previous is was


def test_another_policy_is_another_object_and_one_that_comes_back_is_the_first_again() -> None:
    story = Story()
    strict, again = story.policy.model_copy(update={"examine": 1.0}), story.policy.model_copy(deep=True)
    for name, policy in (("r2", strict), ("r3", again)):
        story.keep(e.RolloutStarted(name, "web", "deploy", NEW, OLD, policy, (story.names,)))
        story.keep(e.RolloutEnded(name, e.End.ABORTED, "so"))
    first, second, third = story.state.rollouts.values()
    assert second.policy == strict
    assert first.policy is third.policy is not second.policy


def test_what_was_found_and_marked_stays_in_the_log_alone(long: Long) -> None:
    for rollout in long.many.rollouts.values():
        assert (rollout.findings, dict(rollout.marked)) == ((), {})
        newest = long.log.newest(rollout.id, "verdict-reached")
        assert newest is not None
        assert isinstance(newest.event, e.VerdictReached)
        assert len(newest.event.findings) == 5


def test_an_ended_rollout_names_the_records_of_what_its_hosts_were_told_and_said_last(long: Long) -> None:
    rollout = long.few.rollouts[f"r{BEFORE}"]
    assert rollout.end is e.End.DONE
    for name, member in rollout.hosts.items():
        assert member.at_end is not None
        found = long.log.numbered(member.at_end)
        told, said = (found[number].event for number in member.at_end)
        on_host = long.few.hosts[name].app("web")
        assert on_host.report is not None
        assert (told, said) == (on_host.assigned, e.HostReported(name, "web", on_host.report))


def test_records_are_found_by_their_numbers_however_many(long: Long) -> None:
    last = long.log.head.seq
    found = long.log.numbered(range(1, last + 100))
    assert list(found) == [record.seq for record in long.log.read()]
    assert found[last].seq == last
    assert long.log.numbered(()) == {}


def test_the_log_remembers_no_rollout_that_has_ended() -> None:
    scopes, policy = _Scopes(), Story().policy
    for number in range(3):
        name = f"r{number}"
        assert scopes.of(e.RolloutStarted(name, "web", "deploy", NEW, OLD, policy, (("web-1",),))) == (name, "web")
        assert scopes.of(e.HostJudged(name, "web-1", "serving")) == (name, "web")
        assert scopes.of(e.RolloutEnded(name, e.End.DONE, "so")) == (name, "web")
    assert (scopes._apps, scopes._active) == ({}, {})


def test_the_newest_releases_of_a_kind_of_record_are_known_and_all_it_was_counted(tmp_path: Path) -> None:
    template = Template(key="a" * 16, level="ERROR", logger="shop", text="it broke", first_seen=1.0)
    with closing(CatalogueStore.open(tmp_path / "catalogue.sqlite")) as store:
        for number in range(MOST_RELEASES + 5):
            for release in ("always", f"r{number}"):
                seen = HostWindow(release, 1.0, counts={template.key: (1, 1)})
                store.note("web", Window(float(number), {"web-1": seen}, (template,)))
        (entry,) = store.frozen("web").entries.values()
    assert len(entry.releases) == MOST_RELEASES
    assert entry.releases["always"] == MOST_RELEASES + 5
    assert {"r0", "r5"} & set(entry.releases) == set()
    assert entry.episodes == 2 * (MOST_RELEASES + 5)


def test_the_lines_that_people_watch_come_once_and_their_sources_are_forgotten_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines_module, "_SOURCES", 3)
    buffer = LineBuffer()
    said = Evidence(host="web-1", app="web", boot=1, epoch=1, seq=1, release="r0", since=1.0, sent_at=2.0)
    said = said.model_copy(update={"lines": (LogLine(at=1.0, release="r0", text="hello", key=""),)})
    for number in range(10):
        for _ in range(2):
            buffer.add(said.model_copy(update={"release": f"r{number}", "epoch": number}))
    assert len(buffer.after("web", 0)) == 10
    assert len(buffer._rings["web"].newest) == 3


def test_a_release_is_shown_with_all_that_its_manifest_says() -> None:
    story, hooks = Story(), HookFiles(pre_activate="hooks/pre")
    manifest = ReleaseManifest(app="web", version=OLDER.version, health="/up", shared=("uploads",), hooks=hooks)
    story.keep(e.ReleasePushed("web", OLDER, 1, manifest))
    app = story.state.app("web")
    assert show.release(story.state, app, app.releases[OLDER.version]).manifest == manifest
