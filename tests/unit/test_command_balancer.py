from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from noonday_agent.balancers.command import CommandBalancer
from noonday_agent.config import CommandBalancer as CommandSettings
from noonday_agent.probes.running import started
from noonday_agent.processes.patience import Patience
from noonday_agent.underway import note_of
from noonday_shared.errors import Permanent, Temporary
from support.eventually import eventually

YES, NO = ("true",), ("false",)


def _balancer(timeout: float = 10.0, **verbs: tuple[str, ...]) -> CommandBalancer:
    all_verbs = {"take_out": YES, "put_back": YES, "in_service": YES, "idle": NO} | verbs
    return CommandBalancer(CommandSettings(kind="command", timeout=timeout, **all_verbs), "command lb")


def _says(text: str, status: int) -> tuple[str, ...]:
    return ("sh", "-c", f"echo {text}; exit {status}")


def _in_another_thread(ask: Callable[[], bool]) -> bool:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result(timeout=60)


def test_status_0_means_yes_and_1_means_no() -> None:
    assert _balancer().in_service()
    assert not _balancer(in_service=NO).in_service()
    assert _balancer(idle=YES).idle()
    assert not _balancer().idle()


def test_another_status_is_no_answer_and_its_last_words_are_shown() -> None:
    with pytest.raises(Temporary, match="command lb: idle ended with 2; its last words: 'who knows'") as caught:
        _balancer(idle=_says("who knows", 2)).idle()
    assert "--" not in caught.value.next_action


def test_an_order_that_ends_with_1_has_failed() -> None:
    with pytest.raises(Temporary, match="command lb: take_out ended with 1; its last words: 'not now'"):
        _balancer(take_out=_says("not now", 1)).take_out()
    with pytest.raises(Temporary, match="put_back ended with 1; it said nothing"):
        _balancer(put_back=NO).put_back()


def test_only_the_end_of_a_long_output_is_shown() -> None:
    script = "print('x' * 100_000 + ' the end'); raise SystemExit(3)"
    with pytest.raises(Temporary, match="x the end") as caught:
        _balancer(take_out=(sys.executable, "-c", script)).take_out()
    assert len(caught.value.text) < 600


def test_a_command_that_hangs_is_ended_with_all_its_children() -> None:
    with pytest.raises(Temporary, match=r"take_out did not end within 0\.2 s"):
        _balancer(timeout=0.2, take_out=("sh", "-c", "sleep 300 & wait")).take_out()


def test_a_command_that_hangs_is_ended_as_soon_as_something_else_is_asked_and_no_other_is_begun(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hangs = ("sh", "-c", f"echo $$ >> {pids}; sleep 300 & echo $! >> {pids}; wait")
    patience = Patience()
    balancer = replace(_balancer(timeout=300.0, take_out=hangs, put_back=hangs), patience=patience)
    with patience.lasting_until(lambda: pids.exists() and len(pids.read_text().split()) == 2):
        with pytest.raises(Temporary, match="command lb: take_out was given up: something else is asked") as caught:
            balancer.take_out()
        assert (caught.value.rule, bool(caught.value.next_action)) == ("superseded", True)
        with pytest.raises(Temporary, match="put_back was given up"):
            balancer.put_back()
        assert _in_another_thread(balancer.in_service), "who only looks at the app is answered"
    first, child = (int(word) for word in pids.read_text().split())
    eventually(lambda: not any(started(pid) for pid in (first, child)), what="the end of take_out")


def test_an_order_is_noted_while_it_runs_and_a_question_is_not(tmp_path: Path) -> None:
    note = note_of(tmp_path, "web", "balancer-1")
    file = tmp_path / "underway" / "web.balancer-1.json"
    noted = replace(_balancer(take_out=("test", "-s", str(file)), in_service=("test", "-e", str(file))), underway=note)
    noted.take_out()
    assert (noted.in_service(), file.exists()) == (False, False)


def test_a_program_that_is_missing_is_permanent_and_names_the_verb() -> None:
    with pytest.raises(Permanent, match="command lb: put_back: /no/such/program can't be run"):
        _balancer(put_back=("/no/such/program",)).put_back()


def test_the_check_asks_but_gives_no_order(tmp_path: Path) -> None:
    order = ("touch", str(tmp_path / "ordered"))
    _balancer(take_out=order, put_back=order).check()
    assert list(tmp_path.iterdir()) == []


def test_the_check_finds_an_order_that_could_not_be_given() -> None:
    with pytest.raises(Permanent, match="take_out names /no/such/program"):
        _balancer(take_out=("/no/such/program",)).check()


@pytest.mark.parametrize(
    ("in_service", "idle", "words"), [(YES, NO, "IN"), (NO, YES, "OUT"), (NO, NO, "not in service, not idle")]
)
def test_its_words_come_from_both_answers(in_service: tuple[str, ...], idle: tuple[str, ...], words: str) -> None:
    assert _balancer(in_service=in_service, idle=idle).state() == words
