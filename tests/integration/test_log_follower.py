"""Following real files while somebody writes, renames, truncates and takes them away."""

from __future__ import annotations

import os
import shutil
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from noonday_agent.evidence.follower import LINGER, LINGER_DELETED, Follower
from noonday_agent.evidence.positions import Positions, load_positions, save_positions
from noonday_agent.evidence.tail import LONGEST_LINE
from noonday_agent.evidence.wake import Wake
from noonday_shared.clock import SystemClock
from support.eventually import eventually
from support.fake_clock import FakeClock
from support.log_file import write

MUCH = 1 << 30


def read(follower: Follower) -> list[str]:
    return [line.decode() for line in follower.read(MUCH)]


def test_history_is_not_read_but_what_follows_is(log: Path, clock: FakeClock) -> None:
    write(log, "old", "older")
    follower = Follower(log, clock)
    assert read(follower) == []
    write(log, "new")
    assert read(follower) == ["new"]
    assert read(follower) == []


def test_a_missing_file_is_read_from_its_start_when_it_comes(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    assert read(follower) == []
    assert follower.missing
    write(log, "first", "second")
    assert read(follower) == ["first", "second"]
    assert not follower.missing


def test_a_line_is_delivered_when_it_is_whole(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    write(log, "one", "tw", end="")
    assert read(follower) == ["one"]
    write(log, "o\r")
    assert read(follower) == ["two"]


def test_a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_start(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    write(log, "a")
    assert read(follower) == ["a"]
    write(log, "b")
    log.rename(log.with_name("app.log.1"))
    write(log, "c")
    assert read(follower) == ["b", "c"]


def test_a_writer_that_still_holds_the_rotated_file_is_heard_for_a_while(log: Path, clock: FakeClock) -> None:
    write(log, "a")
    follower = Follower(log, clock)
    with log.open("a") as held:
        log.rename(log.with_name("app.log.1"))
        write(log, "new")
        assert read(follower) == ["new"]
        held.write("late\nunfinished")
        held.flush()
        assert read(follower) == ["late"]
    clock.move(LINGER + 1)
    assert read(follower) == ["unfinished"]
    assert len(follower._old) == 0


def test_a_rotated_file_is_not_let_go_while_its_writer_goes_on(log: Path, clock: FakeClock) -> None:
    write(log, "a")
    follower = Follower(log, clock)
    with log.open("a") as held:
        log.rename(log.with_name("app.log.1"))
        write(log, "new")
        assert read(follower) == ["new"]
        for number in range(5):
            clock.move(LINGER - 1)
            held.write(f"late {number}\n")
            held.flush()
            assert read(follower) == [f"late {number}"]


def test_a_renamed_file_without_a_successor_is_followed_on(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    write(log, "a")
    assert read(follower) == ["a"]
    log.rename(log.with_name("app.log.1"))
    clock.move(1000)
    write(log.with_name("app.log.1"), "b")
    assert read(follower) == ["b"]


def test_a_copytruncated_file_goes_on_from_its_start(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    write(log, "before rotation")
    assert read(follower) == ["before rotation"]
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    write(log, "after")
    assert read(follower) == ["after"]


def test_a_truncated_file_that_has_grown_beyond_its_old_length_is_noticed(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    write(log, "before")
    assert read(follower) == ["before"]
    os.truncate(log, 0)
    write(log, "after one", "after two")
    assert read(follower) == ["after one", "after two"]


def test_a_writer_that_keeps_its_offset_leaves_a_hole_that_hides_nothing(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    with log.open("w") as writer:
        writer.write("x" * 1_000_000 + "\n")
        writer.flush()
        follower.read(MUCH)
        os.truncate(log, 0)
        writer.write("after\n")
        writer.flush()
    assert read(follower) == ["after"]


def test_a_deleted_file_is_followed_until_another_comes_and_let_go_in_the_end(log: Path, clock: FakeClock) -> None:
    write(log, "old")
    follower = Follower(log, clock)
    with log.open("a") as held:
        log.unlink()
        assert read(follower) == []
        held.write("still here\n")
        held.flush()
        assert read(follower) == ["still here"]
    clock.move(LINGER_DELETED + 1)
    assert read(follower) == []
    assert follower._tails() == []
    write(log, "reborn")
    assert read(follower) == ["reborn"]


def test_the_switch_of_current_leads_to_the_new_file_and_back_without_reading_twice(
    log: Path, clock: FakeClock
) -> None:
    root = log.parent
    for release in ("one", "two"):
        (root / release).mkdir()
    (root / "current").symlink_to("one")
    write(root / "one/app.log", "history of one")
    follower = Follower(root / "current/app.log", clock)
    write(root / "one/app.log", "1a")
    assert read(follower) == ["1a"]

    point(root, "two")
    write(root / "one/app.log", "1b")
    assert read(follower) == ["1b"]
    write(root / "two/app.log", "2a")
    assert read(follower) == ["2a"]

    point(root, "one")
    write(root / "one/app.log", "1c")
    assert read(follower) == ["1c"]
    clock.move(LINGER + 1)
    point(root, "two")
    write(root / "two/app.log", "2b")
    assert read(follower) == ["2b"]


def point(root: Path, release: str) -> None:
    (root / "next").symlink_to(release)
    (root / "next").replace(root / "current")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything, so it steps down for a moment."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


def test_a_file_that_may_not_be_read_is_named_and_read_when_it_may(log: Path, clock: FakeClock) -> None:
    write(log, "history")
    log.chmod(0)
    with as_nobody():
        follower = Follower(log, clock)
        assert read(follower) == []
        assert "Permission denied" in follower.trouble
    write(log, "new")
    log.chmod(0o644)
    with as_nobody():
        assert read(follower) == ["new"]
        assert follower.trouble == ""


def test_a_rotation_into_an_unreadable_file_loses_nothing_once_it_may_be_read(log: Path, clock: FakeClock) -> None:
    write(log, "history")
    follower = Follower(log, clock)
    log.rename(log.with_name("app.log.1"))
    write(log, "new")
    log.chmod(0)
    with as_nobody():
        assert read(follower) == []
        assert str(log) in follower.trouble
    log.chmod(0o644)
    with as_nobody():
        assert read(follower) == ["new"]


def test_a_folder_or_a_pipe_is_refused_in_words_and_never_blocks(log: Path, clock: FakeClock) -> None:
    os.mkfifo(log)
    follower = Follower(log, clock)
    assert read(follower) == []
    assert "not a regular file" in follower.trouble
    log.unlink()
    log.mkdir()
    assert read(follower) == []
    assert follower.trouble
    log.rmdir()
    write(log, "a file at last")
    assert read(follower) == ["a file at last"]


def test_a_new_agent_goes_on_where_the_old_one_ended(log: Path, clock: FakeClock) -> None:
    write(log, "history")
    follower = Follower(log, clock)
    write(log, "a", "half", end="")
    assert read(follower) == ["a"]
    positions = follower.positions
    follower.close()
    write(log, " and half", "b")
    assert read(Follower(log, clock, positions)) == ["half and half", "b"]


def test_a_rotation_while_no_agent_ran_is_made_up_for(log: Path, clock: FakeClock) -> None:
    write(log, "history")
    follower = Follower(log, clock)
    positions = follower.positions
    follower.close()
    write(log, "a")
    log.rename(log.with_name("app.log.1"))
    write(log, "b")
    assert read(Follower(log, clock, positions)) == ["a", "b"]


def test_a_truncation_while_no_agent_ran_is_noticed(log: Path, clock: FakeClock) -> None:
    write(log, "history")
    follower = Follower(log, clock)
    write(log, "read already")
    assert read(follower) == ["read already"]
    positions = follower.positions
    follower.close()
    os.truncate(log, 0)
    write(log, "x" * 100, "y")
    assert read(Follower(log, clock, positions)) == ["x" * 100, "y"]


def test_a_file_that_was_missing_when_the_agent_stopped_is_read_from_its_start(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    positions = follower.positions
    write(log, "a")
    assert read(Follower(log, clock, positions)) == ["a"]


def test_positions_survive_on_disk_and_a_damaged_file_counts_as_none(log: Path, clock: FakeClock) -> None:
    state = log.with_name("state.json")
    assert load_positions(state) == Positions()
    write(log, "x")
    follower = Follower(log, clock)
    kept = Positions(files={log: tuple(follower.positions)}, cursors={"web.service": "s=1;i=2"})
    save_positions(state, kept)
    assert load_positions(state) == kept
    state.write_bytes(b"\xff{")
    assert load_positions(state) == Positions()


def test_a_line_without_an_end_takes_bounded_memory_and_is_counted(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    size = 20 << 20
    with log.open("wb") as file:
        for _ in range(20):
            file.write(b"x" * (1 << 20))
    tracemalloc.start()
    lines = []
    while follower.behind or follower.missing:
        lines += follower.read(1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    write(log, "end", "next")
    lines += follower.read(MUCH)
    assert [len(line) for line in lines] == [LONGEST_LINE, len("next")]
    assert follower.dropped == size + len("end\n") - LONGEST_LINE
    assert peak < 8 << 20


def test_a_long_line_is_cut_and_the_next_is_whole(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    write(log, "y" * (1 << 20), "next")
    lines = read(follower)
    assert lines[-1] == "next"
    assert len(lines[0]) >= LONGEST_LINE
    assert len(lines[0]) + follower.dropped >= 1 << 20


def test_one_read_is_bounded_and_says_that_more_waits(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    write(log, *["z" * 99] * 10_000)
    first = follower.read(100_000)
    assert len(first) <= 1000
    assert follower.behind > 0
    assert len(first) + len(follower.read(MUCH)) == 10_000
    assert follower.behind == 0


def test_what_is_too_far_behind_is_skipped_and_counted(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock, most_behind=1000)
    write(log, *["z" * 99] * 1000)
    lines = follower.read(MUCH)
    assert len(lines) in (9, 10)
    assert sum(len(line) + 1 for line in lines) + follower.dropped == 100_000


def test_binary_is_delivered_as_it_is(log: Path, clock: FakeClock) -> None:
    follower = Follower(log, clock)
    data = bytes(range(1, 256)) * 50
    log.write_bytes(data + b"\n\0\0after\n")
    assert b"".join(follower.read(MUCH)).replace(b"\n", b"").endswith(b"after")


def test_nothing_is_lost_or_doubled_while_a_writer_rotates(log: Path) -> None:
    follower = Follower(log, SystemClock())
    total, done = 6000, threading.Event()

    def writer() -> None:
        for number in range(total):
            if number % 1000 == 999:
                log.rename(log.with_name(f"app.log.{number}"))
                # A rotation that is overtaken by the next is out of reach: a real one comes hours later.
                eventually(lambda n=number: len(seen) >= n, what="the lines before the rotation")  # type: ignore[misc]
            write(log, f"line {number}")
        done.set()

    seen: list[bytes] = []
    thread = threading.Thread(target=writer)
    thread.start()

    def all_seen() -> bool:
        seen.extend(follower.read(10_000))
        return done.is_set() and len(seen) >= total

    with suppress(AssertionError):
        eventually(all_seen, what="all lines", within=30, every=0)
    thread.join(30)
    assert sorted(seen) == sorted(b"line %d" % number for number in range(total))


def test_a_rotation_and_a_switch_wake_the_waiter(log: Path) -> None:
    root = log.parent
    (root / "one").mkdir()
    (root / "two").mkdir()
    (root / "current").symlink_to("one")
    path = root / "current/app.log"
    wake = Wake()
    wake.start()
    try:
        wake.follow([path, root / "missing/folder/app.log"])
        assert not wake.wait(0.0)
        write(root / "one/app.log", "x")
        assert wake.wait(10.0)
        eventually(lambda: not wake.wait(0.05), what="quiet")
        point(root, "two")
        assert wake.wait(10.0)
        wake.follow([path])
        eventually(lambda: not wake.wait(0.05), what="quiet")
        write(root / "two/app.log", "x")
        assert wake.wait(10.0)
    finally:
        wake.close()
