"""A stand-in for systemctl: keeps units in a folder, and really starts and stops their processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.eventually import eventually

_SCRIPT = """#!{python} -IS
import fcntl, json, os, signal, subprocess, sys, time

FOLDER = {folder!r}
words = [word for word in sys.argv[1:] if not word.startswith("-")]
verb, unit = words[0], words[-1]
path = os.path.join(FOLDER, unit + ".json")
if os.path.exists(os.path.join(FOLDER, "broken")):
    sys.exit("Failed to connect to bus: No such file or directory")


def change(**new):
    with open(os.path.join(FOLDER, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(path) as file:
            before = json.load(file)
        with open(path + ".new", "w") as file:
            json.dump(before | new, file)
        os.replace(path + ".new", path)
    return before


def alive(pid):
    try:
        with open(f"/proc/{{pid}}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end(pid, within):
    deadline = time.monotonic() + within
    os.kill(pid, signal.SIGTERM)
    while alive(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def show():
    if not os.path.exists(path):
        return print("MainPID=0\\nActiveState=inactive\\nSubState=dead\\nLoadState=not-found\\nResult=success")
    state = change()
    up = state["pid"] and alive(state["pid"])
    active = "active" if up else "failed" if state["failed"] else "inactive"
    print(f"MainPID={{state['pid'] if up else 0}}\\nActiveState={{active}}\\nLoadState=loaded\\nNRestarts=0")
    print("Result=" + ("exit-code" if state["failed"] else "success"))
    if state["job"]:
        print("Job=7")


def job():
    state = change()
    if state["pid"] and alive(state["pid"]):
        end(state["pid"], state["stop_within"])
    try:
        pid = subprocess.Popen(state["argv"], start_new_session=True).pid
        change(pid=pid, job=False, failed=False)
    except OSError:
        change(pid=0, job=False, failed=True)


def restart():
    if not os.path.exists(path):
        print(f"Failed to restart {{unit}}: Unit {{unit}} not found.", file=sys.stderr)
        sys.exit(5)
    # As systemd does, a restart that is ordered while one is under way becomes one with it.
    if change(job=True)["job"]:
        return
    if os.fork() == 0:
        os.setsid()
        with open(os.devnull, "r+") as nowhere:
            for fd in (0, 1, 2):
                os.dup2(nowhere.fileno(), fd)
        job()
        # The job is this process, so that what it started has a parent that reaps it.
        os.wait()


{{"show": show, "restart": restart, "reset-failed": lambda: None}}[verb]()
"""


class StandInSystemctl:
    """`path` is the executable. `close` ends what the units run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "systemctl"
        self.path.write_text(_SCRIPT.format(python=sys.executable, folder=str(folder)))
        self.path.chmod(0o755)

    def add(self, unit: str, argv: Sequence[str], *, stop_within: float = 10.0) -> None:
        """A unit that is not started. `stop_within`: seconds between TERM and KILL."""
        state = {"argv": list(argv), "pid": 0, "job": False, "failed": False, "stop_within": stop_within}
        (self._folder / f"{unit}.json").write_text(json.dumps(state))

    def break_bus(self) -> None:
        """From now on systemd can't be asked."""
        (self._folder / "broken").touch()

    def close(self) -> None:
        for file in self._folder.glob("*.json"):
            eventually(lambda file=file: not self._state(file)["job"], what=f"no job of {file.stem}")  # type: ignore[misc]
            with contextlib.suppress(ProcessLookupError):
                if pid := int(str(self._state(file)["pid"])):
                    os.kill(pid, signal.SIGKILL)

    def _state(self, file: Path) -> Mapping[str, object]:
        state: dict[str, object] = json.loads(file.read_text())
        return state
