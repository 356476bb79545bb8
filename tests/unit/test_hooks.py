from __future__ import annotations

import os
import pwd
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from noonday_agent.config import Hooks
from noonday_agent.hooks import HookCall, run_hook
from noonday_shared.errors import Deadline, Permanent
from noonday_shared.names import ReleaseRef
from support.eventually import eventually

NEW = ReleaseRef(version="1.1.0", digest="b" * 64)
OLD = ReleaseRef(version="1.0.0", digest="a" * 64)


@pytest.fixture
def call(tmp_path: Path) -> HookCall:
    release = tmp_path / "releases" / NEW.id
    (release / "hooks").mkdir(parents=True)
    return HookCall("pre_activate", "hooks/migrate", "web", "web-1", "r-17", release, NEW, OLD)


def _write(call: HookCall, script: str) -> Path:
    file = call.release_dir / call.file
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_a_hook_runs_in_its_release_and_knows_what_is_going_on(
    call: HookCall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_SECRET", "hush")
    _write(call, "pwd; env")
    lines = run_hook(call, Hooks(), tmp_path).output_tail.splitlines()
    assert lines[0] == str(call.release_dir)
    assert {
        "NOONDAY_APP=web",
        "NOONDAY_HOST=web-1",
        "NOONDAY_ROLLOUT=r-17",
        "NOONDAY_RELEASE=1.1.0",
        "NOONDAY_PREVIOUS=1.0.0",
    } <= set(lines)
    assert not any("hush" in line for line in lines)


def test_the_first_release_has_an_empty_previous_one(call: HookCall, tmp_path: Path) -> None:
    _write(call, 'echo "<$NOONDAY_PREVIOUS>"')
    assert run_hook(replace(call, previous=None), Hooks(), tmp_path).output_tail == "<>\n"


def test_its_output_is_kept_for_its_owner_alone(call: HookCall, tmp_path: Path) -> None:
    _write(call, "echo migrated 3 tables")
    run_hook(call, Hooks(), tmp_path)
    kept = tmp_path / "hooks" / "web-1.1.0-bbbbbbbb-pre_activate.log"
    assert kept.read_text() == "migrated 3 tables\n"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_failing_hook_says_what_it_said(call: HookCall, tmp_path: Path) -> None:
    _write(call, "echo table is locked >&2; exit 7")
    with pytest.raises(Permanent, match=r"failed with 7\. It said: table is locked") as caught:
        run_hook(call, Hooks(), tmp_path)
    assert caught.value.rule == "hook-failed"
    assert str(call.log_file(tmp_path)) in caught.value.next_action
    assert call.log_file(tmp_path).read_text() == "table is locked\n"


def test_a_hook_that_hangs_with_children_is_ended_with_them(call: HookCall, tmp_path: Path) -> None:
    child = tmp_path / "child"
    _write(call, f"echo busy; sleep 300 & echo $! > {child}")
    with pytest.raises(Deadline, match=r"had not ended after 0\.5 s.*busy"):
        run_hook(call, Hooks(within=0.5), tmp_path)
    pid = int(child.read_text())
    eventually(
        lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE,
        what="the hook's child is gone",
    )


def test_a_hook_is_ended_as_soon_as_something_else_is_asked_of_the_host(call: HookCall, tmp_path: Path) -> None:
    started = tmp_path / "started"
    _write(call, f"echo half; touch {started}; sleep 60")
    began = time.monotonic()
    with pytest.raises(Permanent, match="something else is asked of this host now") as ended:
        run_hook(replace(call, cancelled=started.exists), Hooks(), tmp_path)
    assert ended.value.rule == "hook-cancelled"
    assert time.monotonic() - began < 30


def test_a_missing_hook_is_permanent(call: HookCall, tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="hooks/migrate is not in the release"):
        run_hook(call, Hooks(), tmp_path)


def test_a_hook_that_is_not_executable_is_permanent(call: HookCall, tmp_path: Path) -> None:
    _write(call, "true").chmod(0o644)
    with pytest.raises(Permanent, match="is not executable"):
        run_hook(call, Hooks(), tmp_path)


def test_a_hook_that_leads_out_of_the_release_is_permanent(call: HookCall, tmp_path: Path) -> None:
    (call.release_dir / call.file).symlink_to("/bin/true")
    with pytest.raises(Permanent, match="leads out of the release"):
        run_hook(call, Hooks(), tmp_path)


def test_a_log_that_can_not_be_written_does_not_fail_the_hook(call: HookCall, tmp_path: Path) -> None:
    _write(call, "echo fine")
    (tmp_path / "hooks").write_text("in the way")
    assert run_hook(call, Hooks(), tmp_path).ok


def test_an_unknown_user_is_permanent(call: HookCall, tmp_path: Path) -> None:
    _write(call, "true")
    with pytest.raises(Permanent, match="nobody-here is unknown"):
        run_hook(call, Hooks(user="nobody-here"), tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_hook_runs_as_its_user(call: HookCall, tmp_path: Path) -> None:
    # pytest's own folders are closed to other users.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        open_call = replace(call, file="migrate", release_dir=Path(folder))
        _write(open_call, "id -un; echo $HOME")
        said = run_hook(open_call, Hooks(user="nobody"), tmp_path).output_tail
    assert said.splitlines() == ["nobody", pwd.getpwnam("nobody").pw_dir]
