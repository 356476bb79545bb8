"""A demo that is killed leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.eventually import eventually

ROOT = Path(__file__).parents[2]
DEMO = """
import subprocess, sys, time
from pathlib import Path
from examples.webshop.guard import guarded

folder = Path(sys.argv[1])
with guarded(folder):
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    print(child.pid, flush=True)
    if sys.argv[2] == "stay":
        time.sleep(300)
"""


def start(folder: Path, how: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    """The demo, and a process that it started in a session of its own."""
    folder.mkdir()
    (folder / "something").touch()
    demo = subprocess.Popen([sys.executable, "-c", DEMO, str(folder), how], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    return demo, psutil.Process(int(demo.stdout.readline()))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_demo_leaves_no_process_and_no_folder(tmp_path: Path, number: signal.Signals) -> None:
    demo, child = start(tmp_path / "demo", "stay")
    assert child.is_running()
    demo.send_signal(number)
    demo.wait(10)
    eventually(lambda: not child.is_running(), what="the end of what the demo started")
    eventually(lambda: not (tmp_path / "demo").exists(), what="the end of its folder")


def test_what_somebody_else_started_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "300"]) as other:
        demo, child = start(tmp_path / "demo", "go")
        demo.wait(20)
        eventually(lambda: not child.is_running(), what="the end of what the demo started")
        assert other.poll() is None
        other.kill()
