from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path

import psutil
import pytest

from noonday_agent.commands import minimal_env, run_command
from noonday_shared.errors import Permanent
from support.eventually import eventually


def _gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def _pid_in(file: Path) -> int:
    return int(eventually(lambda: file.exists() and file.read_text().strip(), what=f"a pid in {file.name}"))


def test_a_command_answers_with_its_status_and_both_outputs() -> None:
    result = run_command(["sh", "-c", "echo out; echo err >&2; exit 3"], within=10)
    assert (result.exit, result.timed_out, result.ok) == (3, False, False)
    assert sorted(result.output_tail.split()) == ["err", "out"]


def test_a_command_that_a_signal_ends_names_the_signal() -> None:
    assert run_command(["sh", "-c", "kill -9 $$"], within=10).exit == -9


def test_a_deadline_ends_the_whole_group_though_the_parent_ended_long_ago(tmp_path: Path) -> None:
    pid_file = tmp_path / "child"
    result = run_command(["sh", "-c", f"sleep 300 & echo $! > {pid_file}; echo started"], within=0.5)
    assert result.timed_out
    assert "started" in result.output_tail
    child = _pid_in(pid_file)
    eventually(lambda: _gone(child), what="the child of the command is gone")


def test_a_group_that_ignores_term_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noonday_agent.commands.GRACE", 0.2)
    pid_file = tmp_path / "child"
    script = f"trap '' TERM; (trap '' TERM; echo $(sh -c 'echo $PPID') > {pid_file}; while :; do sleep 1; done) & wait"
    result = run_command(["sh", "-c", script], within=0.4)
    assert result.timed_out
    assert result.exit == -9
    child = _pid_in(pid_file)
    eventually(lambda: _gone(child), what="the stubborn child is gone")


def test_what_has_its_own_output_is_ended_with_the_command_too(tmp_path: Path) -> None:
    pid_file = tmp_path / "child"
    result = run_command(["sh", "-c", f"sleep 300 >/dev/null 2>&1 & echo $! > {pid_file}"], within=10)
    assert result.ok
    child = _pid_in(pid_file)
    eventually(lambda: _gone(child), what="the left child is gone")


def test_children_that_may_stay_do_not_hold_the_command_up(tmp_path: Path) -> None:
    pid_file = tmp_path / "child"
    result = run_command(["sh", "-c", f"sleep 300 & echo $! > {pid_file}"], within=30, leave_children=True)
    child = psutil.Process(_pid_in(pid_file))
    try:
        assert result.ok
        assert result.left_behind
        assert child.is_running()
    finally:
        child.kill()


def test_a_process_in_a_session_of_its_own_can_not_hold_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noonday_agent.commands.GRACE", 0.2)
    pid_file = tmp_path / "child"
    script = f"setsid sh -c 'echo $$ > {pid_file}; exec sleep 300' & while ! [ -s {pid_file} ]; do :; done"
    result = run_command(["sh", "-c", script], within=1)
    assert result.timed_out
    psutil.Process(_pid_in(pid_file)).kill()


def test_output_is_bounded_and_its_end_is_kept() -> None:
    script = "import sys; sys.stdout.write('x' * 3_000_000 + 'the end')"
    result = run_command([sys.executable, "-c", script], within=30, max_output=1000)
    assert len(result.output_tail) == 1000
    assert result.output_tail.endswith("xthe end")


def test_output_that_is_not_kept_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        run_command([sys.executable, "-c", "print('x' * 30_000_000)"], within=60, max_output=1000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_output_that_never_stops_does_not_hide_the_deadline() -> None:
    result = run_command(["yes"], within=0.3, max_output=100)
    assert result.timed_out
    assert result.output_tail.endswith("y\n")


def test_output_that_is_no_text_is_shown_as_well_as_it_can_be() -> None:
    assert run_command(["printf", "\\377ok"], within=10).output_tail == "\ufffdok"


def test_a_missing_program_is_permanent_and_named() -> None:
    with pytest.raises(Permanent, match="/no/such/program can't be run: No such file"):
        run_command(["/no/such/program"], within=1)


def test_a_script_without_a_first_line_is_permanent(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo no interpreter named\n")
    script.chmod(0o755)
    with pytest.raises(Permanent, match="Exec format error"):
        run_command([str(script)], within=1)


def test_a_missing_folder_is_named_instead_of_the_program(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="nowhere"):
        run_command(["true"], within=1, cwd=tmp_path / "nowhere")


def test_an_unknown_user_is_permanent() -> None:
    with pytest.raises(Permanent, match="User nobody-here is unknown"):
        run_command(["true"], within=1, user="nobody-here")


def test_another_user_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noonday_agent.commands.os.geteuid", lambda: 12345)
    with pytest.raises(Permanent, match="does not run as root"):
        run_command(["true"], within=1, user="root")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_command_runs_as_its_user_with_that_users_groups() -> None:
    result = run_command(["id", "-un"], within=10, user="nobody", cwd=Path("/"), env=minimal_env("nobody"))
    assert result.output_tail.strip() == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_command_keeps_none_of_our_own_groups() -> None:
    script = (
        "import os; from noonday_agent.commands import run_command; os.setgroups([0, 4]);"
        "print(run_command(['id', '-G'], within=10, user='nobody', cwd='/').output_tail)"
    )
    groups = run_command([sys.executable, "-c", script], within=30).output_tail.split()
    assert groups
    assert not {"0", "4"} & set(groups)


def test_an_environment_is_given_whole() -> None:
    result = run_command(["env"], within=10, env=minimal_env(NOONDAY_APP="web"))
    names = {line.split("=")[0] for line in result.output_tail.splitlines()}
    assert {"PATH", "HOME", "NOONDAY_APP"} <= names
    assert names <= {"PATH", "LANG", "HOME", "USER", "LOGNAME", "NOONDAY_APP", "PWD", "_", "SHLVL"}
