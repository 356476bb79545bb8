from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from noonday_coordinator.replay.files import LONGEST, Side, family_of, look, read
from noonday_shared.errors import BadInput

NINE = 1_767_258_000.0  # 2026-01-01 09:00:00 UTC
ACCESS = '10.0.0.1 - - [01/Jan/2026:{}:00:00 {}] "GET / HTTP/1.1" 200 12'


def line(second: int, words: str = "said", *, hour: int = 9) -> str:
    return f"2026-01-01T{hour:02d}:00:{second:02d}Z INFO {words}"


def put(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = "".join(f"{one}\n" for one in lines).encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def hosts(side: Side) -> dict[str, list[str]]:
    return {host.name: [file.path.name for file in host.files] for host in side.hosts}


@pytest.mark.parametrize(
    "name", ["web.log", "web.log.1", "web.log.12.gz", "web.log-20260101", "web.log.2026-01-01.gz", "web.log-20260101-1"]
)
def test_a_rotated_file_is_of_its_files_family(name: str) -> None:
    assert family_of(name) == "web.log"


def test_each_subfolder_is_a_host_with_its_files_oldest_first(tmp_path: Path) -> None:
    put(tmp_path / "web-1" / "app.log", line(20))
    put(tmp_path / "web-1" / "app.log.1", line(10))
    put(tmp_path / "web-1" / "app.log.2.gz", line(0))
    put(tmp_path / "web-2" / "deeper" / "app.log", line(0))
    put(tmp_path / "notes.log", line(0))
    side = look(tmp_path)
    assert hosts(side) == {"web-1": ["app.log.2.gz", "app.log.1", "app.log"], "web-2": ["app.log"]}
    assert side.left_out == ("notes.log lies beside the hosts' folders",)
    assert "subfolder" in side.rule


def test_files_side_by_side_are_hosts_unless_one_is_an_access_log(tmp_path: Path) -> None:
    put(tmp_path / "web-1.log", line(10))
    put(tmp_path / "web-1.log.1", line(0))
    put(tmp_path / "web-2.log", line(0))
    assert hosts(look(tmp_path)) == {"web-1": ["web-1.log.1", "web-1.log"], "web-2": ["web-2.log"]}
    put(tmp_path / "access.log", ACCESS.format("09", "+0000"))
    side = look(tmp_path)
    assert list(hosts(side)) == [tmp_path.name]
    assert "all are one host's" in side.rule


def test_a_single_file_is_a_host(tmp_path: Path) -> None:
    assert hosts(look(put(tmp_path / "web-1.log", line(0)))) == {"web-1.log": ["web-1.log"]}


def test_what_is_no_log_is_left_out_and_named(tmp_path: Path) -> None:
    put(tmp_path / "web-1" / "app.log", line(0))
    put(tmp_path / "web-1" / ".app.log.swp", line(0))
    put(tmp_path / "web-1" / "empty.log")
    put(tmp_path / "web-1" / "app.pid", "12")
    (tmp_path / "web-1" / "core.log").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "web-1" / "torn.log.1.gz").write_bytes(b"\x1f\x8b no gzip at all")
    os.mkfifo(tmp_path / "web-1" / "pipe.log")
    side = look(tmp_path)
    assert hosts(side) == {"web-1": ["app.log"]}
    told = " ".join(side.left_out)
    assert [word for word in ("empty", "binary", "not named like a log", "damaged") if word not in told] == []


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("place", ["before", "after", "between"])
def test_nuls_that_nobody_wrote_are_skipped_and_named(tmp_path: Path, place: str, ending: str) -> None:
    first, last, hole = f"{line(1)}\n".encode(), f"{line(5)}\n".encode(), b"\0" * 700_000
    before, between, after = (hole if place == each else b"" for each in ("before", "between", "after"))
    raw = before + first + between + last + after
    path = tmp_path / f"web-1.log{ending}"
    path.write_bytes(gzip.compress(raw) if ending else raw)
    side = look(tmp_path)
    (file,) = side.files
    assert (file.first, file.last) == (NINE + 1, NINE + 5)
    assert [said for _, said in read(file)] == [line(1).encode(), line(5).encode()]
    if place == "before" or not ending:
        assert side.left_out == (f"the NUL bytes in {path.name}",)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x00" * 5000])
def test_a_folder_without_logs_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "app.log").write_bytes(content)
    with pytest.raises(BadInput, match="holds no log lines"):
        look(tmp_path)


def test_what_can_not_be_read_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "web-1.log", line(0))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BadInput, match=r"web-1\.log can't be read: Permission denied"):
        look(tmp_path)


def test_lines_come_with_their_instants_and_the_first_and_last_are_known(tmp_path: Path) -> None:
    path = put(tmp_path / "web-1.log", line(1), "Traceback (most recent call last):", line(5))
    (file,) = look(path).files
    assert (file.first, file.last, file.access) == (NINE + 1, NINE + 5, False)
    assert [at - NINE for at, _ in read(file)] == [1, 1, 5]


def test_the_last_stamp_of_a_long_file_is_found_without_reading_it_all(tmp_path: Path) -> None:
    rows = [line(second % 60, "x" * 500, hour=10 + second // 1800) for second in range(3600)]
    for name in ("web-1.log", "web-2.log.gz"):
        (file,) = look(put(tmp_path / name, *rows)).files
        assert (file.first, file.last) == (NINE + 3600, NINE + 2 * 3600 + 59)


def test_a_file_without_stamps_is_spread_evenly(tmp_path: Path) -> None:
    (file,) = look(put(tmp_path / "web-1.log", *["INFO said"] * 40)).files
    assert (file.first, file.lines) == (None, 40)
    assert [at for at, _ in read(file, (100.0, 140.0))] == [100.0 + second for second in range(40)]


def test_a_line_without_end_is_cut_and_a_torn_archive_ends_early(tmp_path: Path) -> None:
    (file,) = look(put(tmp_path / "web-1.log", line(0), line(1, "x" * 5 * LONGEST), line(2))).files
    assert [len(text) <= LONGEST for _, text in read(file)] == [True, True, True]
    torn = put(tmp_path / "web-2.log.gz", *[line(0, f"{word:x}" * 20) for word in range(99_000, 119_000)])
    torn.write_bytes(torn.read_bytes()[:-5000])
    (file,) = look(torn).files
    assert 1000 < sum(1 for _ in read(file)) < 20_000


def test_the_zone_that_access_logs_name_is_that_of_all_logs_beside_them(tmp_path: Path) -> None:
    put(tmp_path / "web-1" / "access.log", ACCESS.format("10", "+0100"))
    put(tmp_path / "web-1" / "app.log", "2026-01-01 10:00:00 INFO said")
    assert {file.first for file in look(tmp_path).files} == {NINE}


def test_rotation_orders_files_that_tell_no_times(tmp_path: Path) -> None:
    for name in ("app.log", "app.log.1", "app.log.10", "app.log.2"):
        put(tmp_path / "web-1" / name, "INFO said")
    assert hosts(look(tmp_path)) == {"web-1": ["app.log.10", "app.log.2", "app.log.1", "app.log"]}
