"""The demo's figures are only worth something if its counting is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.webshop.absence import Absence, in_service
from examples.webshop.tally import SLOW_PATH, Sample, read_samples, tally


def sample(at: float, *, status: int = 200, seconds: float = 0.01, path: str = "/", release: str = "1.0.0") -> Sample:
    return Sample(at, seconds, status, path, "web-1", release)


def test_an_empty_run_counts_nothing() -> None:
    assert tally([]).requests == 0
    assert tally([]).rate == 0.0


def test_requests_are_counted_by_the_release_that_answered() -> None:
    result = tally([sample(1.0), sample(2.0), sample(3.0, release="1.1.0")])
    assert result.requests == 3
    assert result.by_release == {"1.0.0": 2, "1.1.0": 1}
    assert result.rate == 1.5


@pytest.mark.parametrize(("status", "failed"), [(200, 0), (302, 0), (404, 1), (500, 1), (503, 1), (0, 1)])
def test_a_request_without_a_good_answer_is_a_failed_one(status: int, failed: int) -> None:
    assert tally([sample(1.0, status=status)]).failed == failed


def test_failures_are_told_with_what_where_and_when() -> None:
    broken = Sample(1.0, 0.25, 0, "/cart", error="ConnectionResetError")
    told = tally([broken, sample(2.0, status=503)]).failures
    assert told == ("/cart: ConnectionResetError after 0.25 s", "/: status 503 from web-1 (1.0.0) after 0.01 s")


def test_the_longest_pause_is_between_answers_in_order_of_time() -> None:
    assert tally([sample(5.0), sample(1.0), sample(1.5)]).longest_pause == 3.5


def test_a_request_that_is_slow_by_itself_is_neither_a_pause_nor_the_slowest() -> None:
    result = tally([sample(1.0), sample(1.25, seconds=0.05), sample(2.0, seconds=0.7, path=SLOW_PATH)])
    assert result.slowest == 0.05
    assert result.longest_pause == 0.25


def test_samples_come_back_from_the_file_as_they_were(tmp_path: Path) -> None:
    written = [sample(1.5), Sample(2.5, 0.5, 0, "/cart", error="gone:\tall\nof it")]
    file = tmp_path / "requests.tsv"
    file.write_text("".join(one.line() + "\n" for one in written))
    first, second = read_samples(file)
    assert first == written[0]
    assert second.error == "gone: all of it"


def test_a_line_that_is_still_being_written_is_left_for_later(tmp_path: Path) -> None:
    file = tmp_path / "requests.tsv"
    file.write_text(sample(1.0).line() + "\n" + sample(2.0).line()[:9])
    assert len(list(read_samples(file))) == 1
    assert list(read_samples(tmp_path / "not-there.tsv")) == []


def test_the_time_between_two_looks_counts_as_the_first_one_says() -> None:
    absence = Absence()
    absence.note(10.0, {"web-1": True, "web-2": True})
    absence.note(11.0, {"web-1": False, "web-2": True})
    absence.note(13.0, {"web-1": True, "web-2": True})
    absence.note(20.0, {"web-1": True, "web-2": True})
    assert absence.seconds == {"web-1": 2.0, "web-2": 0.0}
    assert absence.most_at_once == 1


def test_servers_that_are_out_together_are_counted_together() -> None:
    absence = Absence()
    absence.note(1.0, {"web-1": False, "web-2": False, "web-3": True})
    assert absence.most_at_once == 2


STAT = """\
# pxname,svname,status,weight,
shop,FRONTEND,OPEN,,
shop,web-1,UP,1,
shop,web-2,UP 1/3,1,
shop,web-3,DRAIN,1,
shop,web-4,MAINT,1,
shop,BACKEND,UP,2,
other,web-1,DOWN,1,
"""


def test_a_server_on_its_way_down_still_gets_requests() -> None:
    assert in_service(STAT, "shop") == {"web-1": True, "web-2": True, "web-3": False, "web-4": False}
