"""What the bench of logs measures by, and the lines of the project's own that it measures on."""

from __future__ import annotations

import csv
import json
import lzma
from pathlib import Path

import pytest

from bench.log_lines import (
    distinct_lines,
    make_logs,
    make_service_lines,
    read_folder,
    read_service_lines,
)
from bench.logs import grouping_accuracy, keys, two_levels
from noonday_shared.errors import BadInput


@pytest.mark.parametrize(
    ("groups", "share"),
    [(["1", "1", "2", "3"], 1.0), (["1", "1", "2", "2"], 0.5), (["1", "9", "2", "3"], 0.5), (["1"] * 4, 0.0)],
)
def test_a_group_is_right_when_it_holds_exactly_the_lines_of_a_kind(groups: list[str], share: float) -> None:
    assert grouping_accuracy(["a", "a", "b", "c"], groups) == share


def test_lines_of_our_own_making_are_grouped_by_what_they_say() -> None:
    for log in make_logs():
        assert grouping_accuracy(log.kinds, keys(log.raw).groups) > 0.9, log.name
        assert len(two_levels(log.raw).groups) == len(log.raw)


def test_no_two_of_the_distinct_lines_are_one_kind() -> None:
    lines = [line.decode() for line in distinct_lines(500)]
    assert len(set(keys(lines).groups)) == 500


def test_lines_of_an_application_are_as_long_as_real_ones() -> None:
    lines = make_service_lines(1000, traced=True)
    assert 400 < sum(map(len, lines)) / len(lines) < 550


def test_a_folder_is_read_and_one_without_logs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no labelled logs"):
        read_folder(tmp_path)
    place = tmp_path / "loghub_2k" / "Shop"
    place.mkdir(parents=True)
    (place / "Shop_2k.log").write_text("INFO paid 5\nINFO paid 6\n")
    with (place / "Shop_2k.log_structured.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["Content", "EventId"], ["paid 5", "E1"], ["paid 6", "E1"]])
    (log,) = read_folder(tmp_path)
    assert (log.name, log.raw, log.kinds) == ("Shop", ["INFO paid 5", "INFO paid 6"], ["E1", "E1"])


def test_records_of_an_application_are_written_as_it_writes_them(tmp_path: Path) -> None:
    (tmp_path / "trainticket").mkdir()
    row = {"time_ns": 1, "minute": 5, "trace": "ab" * 16, "service": "pay", "level": "WARN", "message": "slow\n 5 s"}
    with lzma.open(tmp_path / "trainticket" / "day.jsonl.xz", "wt") as file:
        file.write(json.dumps(row) + "\n")
    (line,) = read_service_lines(tmp_path, traced=True)
    assert line.endswith(b" WARN [pay,%s,%s,true] 1 --- [exec-0] slow 5 s" % (b"ab" * 16, b"ab" * 8))
