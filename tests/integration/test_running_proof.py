"""The proof of running code against real processes, started from release folders through `current`."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from examples.parts.supervisord import Program
from noonday_agent.config import SupervisordProcess
from noonday_agent.probes.http import HttpProbe
from noonday_agent.probes.proof import Proof, Seen, confirm
from noonday_agent.probes.running import processes_of, prove, seen
from noonday_agent.processes.supervisord import Supervisord
from support.eventually import eventually
from support.ports import free_port
from support.supervisord import StartSupervisord

PYTHON = Path(sys.executable).name[:15]
"""What the kernel calls the interpreter."""

OLD, NEW = "1.0.0-aaaaaaaa", "1.1.0-bbbbbbbb"

APP = """
import os, signal, socket, sys, time
address, port = sys.argv[1], int(sys.argv[2])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind((address, port))
listener.listen()
open(sys.argv[3], "w").write(str(os.getpid()))
while True:
    time.sleep(60)
"""

WSGI = """
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"%s"]
"""


@dataclass
class Host:
    """A host's folders, and what was started on it."""

    root: Path
    port: int = field(default_factory=free_port)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def current(self) -> Path:
        return self.root / "current"

    def switch(self, release: str) -> None:
        draft = self.root / "current.new"
        draft.symlink_to(self.releases / release)
        draft.replace(self.current)

    def start(self, argv: Sequence[str | Path], cwd: Path) -> int:
        self.started.append(subprocess.Popen(argv, cwd=cwd, start_new_session=True))
        return self.started[-1].pid

    def serve(self, cwd: Path, app: Path | str = "app.py", address: str = "127.0.0.1") -> int:
        """Start the app; its pid, once it listens."""
        ready = self.root / f"ready-{len(self.started)}"
        pid = self.start(self.app(ready, app, address), cwd)
        eventually(lambda: ready.exists() and ready.read_text(), what="the app listens")
        return pid

    def app(self, ready: Path, app: Path | str = "app.py", address: str = "127.0.0.1") -> list[str]:
        return [sys.executable, "-IS", str(app), address, str(self.port), str(ready)]

    def prove(self, pid: int | None, before: Seen = frozenset()) -> Proof:
        return prove(
            pid,
            release_dir=self.releases / NEW,
            releases_root=self.releases,
            not_before=before,
            url=f"http://127.0.0.1:{self.port}",
        )

    def end(self, pid: int) -> None:
        child = next(child for child in self.started if child.pid == pid)
        child.kill()
        child.wait(10)

    def close(self) -> None:
        for child in self.started:
            with suppress(psutil.NoSuchProcess):
                for below in psutil.Process(child.pid).children(recursive=True):
                    below.kill()
            child.kill()
            child.wait(10)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    for release, version in ((OLD, "1.0.0"), (NEW, "1.1.0")):
        folder = host.releases / release
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(APP)
        (folder / "shop.py").write_text(WSGI % version)
    host.switch(OLD)
    yield host
    host.close()


def test_an_app_that_was_restarted_after_the_switch_is_proven(host: Host) -> None:
    old = host.serve(host.current)
    before = seen(old)
    host.switch(NEW)
    host.end(old)
    new = host.serve(host.current)
    assert host.prove(new, before) == Proof(True, f"pid {new} ({PYTHON}) runs from {NEW}.", (new,))


def test_an_app_that_was_not_restarted_is_caught(host: Host) -> None:
    old = host.serve(host.current)
    before = seen(old)
    host.switch(NEW)
    assert host.prove(old, before).reason == f"pid {old} ({PYTHON}) ran before the restart already."
    assert host.prove(old).reason == f"pid {old} ({PYTHON}) runs from {OLD}, not from {NEW}."


def test_an_app_that_is_gone_is_caught(host: Host) -> None:
    old = host.serve(host.current)
    host.end(old)
    assert host.prove(old).reason == "No process of the app runs."
    assert host.prove(None).ok is False


def test_old_code_that_stays_up_on_the_port_beside_the_new_is_caught(host: Host) -> None:
    old = host.serve(host.current)
    before = seen(old)
    host.switch(NEW)
    new = host.serve(host.current)
    assert (
        host.prove(new, before).reason
        == f"pid {old} ({PYTHON}) started before the switch and still answers on port {host.port}."
    )


def test_old_code_on_the_port_that_nobody_remembers_is_caught_by_its_folder(host: Host) -> None:
    old = host.serve(host.current)
    host.switch(NEW)
    new = host.serve(host.current)
    assert host.prove(new).reason == f"pid {old} ({PYTHON}) runs from {OLD} and answers on port {host.port}."


def test_an_old_process_on_a_socket_that_the_new_one_inherited_is_caught(host: Host) -> None:
    with socket.create_server(("127.0.0.1", host.port)) as shared:

        def start() -> int:
            argv = [sys.executable, "-IS", "-c", "import time; time.sleep(600)"]
            host.started.append(subprocess.Popen(argv, cwd=host.current, pass_fds=(shared.fileno(),)))
            return host.started[-1].pid

        old = start()
        before = seen(old)
        host.switch(NEW)
        new = start()
        assert "still answers on port" in host.prove(new, before).reason
        host.end(old)
        assert host.prove(new, before).ok


def test_an_old_process_that_only_finishes_its_work_is_no_reason(host: Host) -> None:
    old = host.start([sys.executable, "-IS", "-c", "import time; time.sleep(600)"], host.current)
    before = seen(old)
    host.switch(NEW)
    assert host.prove(host.serve(host.current), before).ok


def test_another_server_on_the_same_port_of_another_address_is_no_reason(host: Host) -> None:
    host.serve(host.current, address="127.0.0.2")
    host.switch(NEW)
    assert host.prove(host.serve(host.current)).ok


def test_a_stranger_on_the_port_leaves_it_open(host: Host) -> None:
    host.switch(NEW)
    with socket.create_server(("127.0.0.1", host.port)):
        proof = host.prove(host.start([sys.executable, "-IS", "-c", "import time; time.sleep(600)"], host.current))
    assert proof.ok is None
    assert proof.pids == (os.getpid(),)


def test_a_start_script_that_goes_into_the_old_release_is_caught(host: Host) -> None:
    host.switch(NEW)
    ready = host.root / "ready"
    script = f"cd {host.releases / OLD} && exec {shlex.join(host.app(ready))}"
    pid = host.start(["sh", "-c", script], host.current)
    eventually(ready.exists, what="the app listens")
    assert host.prove(pid).reason == f"pid {pid} ({PYTHON}) runs from {OLD}, not from {NEW}."


def test_a_command_line_with_the_old_release_in_it_is_caught(host: Host) -> None:
    host.switch(NEW)
    pid = host.serve(host.current, host.releases / OLD / "app.py")
    assert host.prove(pid).reason == f"pid {pid} ({PYTHON}) runs from {OLD}, not from {NEW}."


def test_the_old_release_s_own_python_is_caught_though_it_is_a_link_to_the_machine_s(host: Host) -> None:
    python = host.releases / OLD / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(os.path.realpath(sys.executable))
    host.switch(NEW)
    pid = host.start([python, "-IS", "-c", "import time; time.sleep(600)"], host.root)
    eventually(lambda: [proc.name for proc in processes_of(pid)] == ["python"], what="the app is executed")
    # It shows what it took its code from only once it has begun.
    eventually(lambda: host.prove(pid).ok is not None, what="a proof")
    assert host.prove(pid).ok is False


def test_a_wrapper_outside_is_no_reason_when_the_app_below_it_is_at_home(host: Host) -> None:
    host.switch(NEW)
    ready = host.root / "ready"
    pid = host.start(["sh", "-c", f"cd {host.current}; {shlex.join(host.app(ready))}; exit $?"], Path("/"))
    eventually(ready.exists, what="the app listens")
    proof = host.prove(pid)
    assert proof.ok
    assert len(proof.pids) == 2


def test_one_worker_in_the_old_release_is_enough(host: Host) -> None:
    host.switch(NEW)
    ready = host.root / "ready"
    worker = f"(cd {host.releases / OLD}; {shlex.join(host.app(ready))}; true) &"
    pid = host.start(["sh", "-c", f"{worker} wait"], host.current)
    eventually(ready.exists, what="the worker listens")
    assert f"runs from {OLD}" in host.prove(pid).reason


def test_a_path_through_current_proves_nothing_and_only_a_version_can(host: Host) -> None:
    host.switch(NEW)
    pid = host.serve(Path("/"), host.current / "app.py")
    proof = host.prove(pid)
    assert proof == Proof(None, f"Nothing shows from which release pid {pid} ({PYTHON}) took its code.", (pid,))
    assert confirm(proof, wanted="1.1.0", answer=None).ok is False


def test_an_old_release_that_was_deleted_under_the_app_is_caught(host: Host) -> None:
    old = host.serve(host.current)
    host.switch(NEW)
    shutil.rmtree(host.releases / OLD)
    assert host.prove(old).reason == f"pid {old} ({PYTHON}) runs from a deleted copy of {OLD}, not from {NEW}."


def test_a_child_that_left_its_parent_is_proven_by_its_own_pid_and_not_by_its_parents(host: Host) -> None:
    host.switch(NEW)
    ready = host.root / "ready"
    parent = host.start(["sh", "-c", f"setsid {shlex.join(host.app(ready))} >/dev/null 2>&1 &"], host.current)
    child = int(eventually(lambda: ready.exists() and ready.read_text(), what="the daemon listens"))
    try:
        host.started[-1].wait(10)
        assert host.prove(parent).reason == "No process of the app runs."
        assert host.prove(child).ok
    finally:
        psutil.Process(child).kill()


def test_gunicorn_under_supervisord_is_proven_after_switch_and_restart(
    host: Host, start_supervisord: StartSupervisord
) -> None:
    url = f"http://127.0.0.1:{host.port}"
    argv = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{host.port}", "shop:app"]
    server = start_supervisord([Program("web", shlex.join(argv), directory=host.current)])
    manager = Supervisord(SupervisordProcess(kind="supervisord", socket=server.socket, program="web"))
    probe = HttpProbe(url)
    eventually(lambda: probe.version("/", 2).version == "1.0.0", what="the old release answers")
    before = seen(manager.pid())

    host.switch(NEW)
    manager.restart(30)
    eventually(lambda: probe.version("/", 2).version == "1.1.0", what="the new release answers")
    eventually(lambda: len(processes_of(manager.pid())) == 3, what="a master and two workers run")
    proof = confirm(host.prove(manager.pid(), before), wanted="1.1.0", answer=probe.version("/", 2))
    assert proof.ok
    assert len(proof.pids) == 3

    host.switch(OLD)
    assert confirm(proof, wanted="1.0.0", answer=probe.version("/", 2)).ok is False
    assert host.prove(manager.pid(), seen(manager.pid())).ok is False
