"""One suite for every process manager: with real processes, except for the fake."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from examples.parts.supervisord import Program
from noonday_agent.config import CommandProcess, SupervisordProcess, SystemdProcess
from noonday_agent.processes.build import build_process
from noonday_agent.processes.patience import Patience
from noonday_agent.processes.protocol import ProcessManager
from noonday_agent.processes.supervisord import Supervisord
from noonday_agent.processes.systemd import Systemd
from noonday_shared.clock import SystemClock
from noonday_shared.errors import Deadline, Permanent, Temporary
from support.eventually import eventually
from support.fake_process import FakeProcess
from support.supervisord import StartSupervisord
from support.systemctl import StandInSystemctl

APP = "import signal, sys, time\nopen(sys.argv[1], 'w').close()\ntime.sleep(600)\n"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + APP


@dataclass(frozen=True)
class Bed:
    """A manager with an app that is not started, one with a stubborn app, one for a name that nobody knows."""

    app: ProcessManager
    stubborn: ProcessManager
    stubborn_ready: Callable[[], bool]
    unknown: ProcessManager
    broken: Callable[[], ProcessManager]
    """The app's manager, after it has become impossible to ask."""
    kill: Callable[[], None]
    """End the app behind the manager's back."""
    patience: Patience = field(default_factory=Patience)
    """Of what the managers wait for."""


@dataclass(frozen=True)
class Apps:
    app: list[str]
    stubborn: list[str]
    ready: Path


@pytest.fixture
def apps(tmp_path: Path) -> Apps:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    ready = tmp_path / "ready"

    def argv(name: str) -> list[str]:
        return [sys.executable, "-IS", str(tmp_path / name), str(ready)]

    return Apps(argv("app.py"), argv("stubborn.py"), ready)


@pytest.fixture
def supervisord(apps: Apps, start_supervisord: StartSupervisord) -> Bed:
    # A TERM that reaches a program between fork and exec is lost in supervisord; its KILL ends it then.
    options = {"stopwaitsecs": "5", "autorestart": "false"}
    server = start_supervisord(
        [
            Program("app", shlex.join(apps.app), autostart=False, options=options),
            Program("stubborn", shlex.join(apps.stubborn), autostart=False, options=options | {"stopwaitsecs": "1"}),
        ]
    )

    patience = Patience()

    def manager(program: str) -> ProcessManager:
        settings = SupervisordProcess(kind="supervisord", socket=server.socket, program=program)
        return build_process(settings, patience=patience)

    def broken() -> ProcessManager:
        server.kill()
        return manager("app")

    app = manager("app")
    return Bed(app, manager("stubborn"), apps.ready.exists, manager("appp"), broken, lambda: _kill(app), patience)


@pytest.fixture
def systemd(apps: Apps, tmp_path: Path) -> Iterator[Bed]:
    systemctl = StandInSystemctl(tmp_path)
    systemctl.add("app.service", apps.app)
    systemctl.add("stubborn.service", apps.stubborn, stop_within=1)

    patience = Patience()

    def manager(unit: str) -> ProcessManager:
        settings = SystemdProcess(kind="systemd", unit=unit)
        return Systemd(settings, systemctl=str(systemctl.path), patience=patience)

    def broken() -> ProcessManager:
        systemctl.break_bus()
        return manager("app.service")

    app = manager("app.service")
    yield Bed(
        app,
        manager("stubborn.service"),
        apps.ready.exists,
        manager("nothing.service"),
        broken,
        lambda: _kill(app),
        patience,
    )
    systemctl.close()


@pytest.fixture
def command(apps: Apps, tmp_path: Path) -> Iterator[Bed]:
    def manager(name: str, argv: list[str]) -> ProcessManager:
        pid_file = tmp_path / f"{name}.pid"
        script = tmp_path / f"restart-{name}"
        script.write_text(_RESTART.format(pid_file=pid_file, app=shlex.join(argv)))
        script.chmod(0o755)
        return build_process(CommandProcess(kind="command", restart=(str(script),), pid_file=pid_file))

    def broken() -> ProcessManager:
        (tmp_path / "app.pid").write_text("no number")
        return app

    app = manager("app", apps.app)
    stubborn = manager("stubborn", apps.stubborn)
    missing = CommandProcess(kind="command", restart=("/no/such/restart",), pid_file=tmp_path / "x.pid")
    yield Bed(app, stubborn, apps.ready.exists, build_process(missing), broken, lambda: _kill(app))
    for file in tmp_path.glob("*.pid"):
        text = file.read_text()
        if text.strip().isdigit() and psutil.pid_exists(int(text)):
            psutil.Process(int(text)).kill()


_RESTART = """#!/bin/sh
if [ -s {pid_file} ]; then
    old=$(cat {pid_file})
    kill $old 2>/dev/null
    n=0
    while [ -e /proc/$old ] && [ "$(cut -d' ' -f3 /proc/$old/stat)" != Z ]; do
        n=$((n + 1))
        [ $n -gt 100 ] && kill -9 $old
        sleep 0.01
    done
fi
{app} >/dev/null 2>&1 &
echo $! > {pid_file}
"""


@pytest.fixture
def fake() -> Bed:
    clock = SystemClock()
    app, stubborn = FakeProcess(clock), FakeProcess(clock)
    stubborn.stop_takes = 1.0

    def broken() -> ProcessManager:
        app.reachable = False
        return app

    return Bed(app, stubborn, lambda: True, FakeProcess(clock, program="other"), broken, app.die)


@pytest.fixture(params=["supervisord", "systemd", "command", "fake"])
def bed(request: pytest.FixtureRequest) -> Bed:
    made: Bed = request.getfixturevalue(request.param)
    return made


def test_a_program_that_is_down_has_no_pid_and_a_word_for_it(bed: Bed) -> None:
    assert bed.app.pid() is None
    assert bed.app.state()
    bed.app.check()


def test_a_restart_starts_what_is_down_and_gives_a_new_pid_to_what_is_up(bed: Bed) -> None:
    bed.app.restart(20)
    first, up = bed.app.pid(), bed.app.state()
    bed.app.restart(20)
    second = bed.app.pid()
    assert first is not None
    assert second is not None
    assert first != second
    bed.kill()
    eventually(lambda: bed.app.pid() is None, what="the manager sees that the app is gone")
    assert bed.app.state() != up
    bed.app.restart(20)
    assert bed.app.pid() not in (None, first, second)


def test_an_unknown_name_is_permanent_and_says_so_before_anything_is_changed(bed: Bed) -> None:
    with pytest.raises(Permanent) as caught:
        bed.unknown.check()
    assert caught.value.next_action
    with pytest.raises(Permanent):
        bed.unknown.restart(5)


@pytest.mark.parametrize("kind", ["supervisord", "systemd"])
def test_a_restart_that_nobody_asks_for_any_more_is_not_waited_for_and_the_next_one_brings_the_app_up(
    kind: str, request: pytest.FixtureRequest
) -> None:
    bed: Bed = request.getfixturevalue(kind)
    bed.stubborn.restart(20)
    eventually(bed.stubborn_ready, what="the app that ignores TERM")
    first = bed.stubborn.pid()
    with bed.patience.lasting_until(lambda: True), pytest.raises(Permanent) as caught:
        bed.stubborn.restart(20)
    assert (caught.value.rule, bed.stubborn.pid()) == ("superseded", first)
    bed.stubborn.restart(20)
    assert bed.stubborn.pid() not in (None, first)


def test_a_manager_that_can_not_be_asked_is_temporary(bed: Bed) -> None:
    manager = bed.broken()
    for ask in (manager.pid, manager.state, manager.check, lambda: manager.restart(5)):
        with pytest.raises(Temporary) as caught:
            ask()
        assert caught.value.next_action


def test_an_app_that_ignores_term_ends_by_the_managers_own_force(bed: Bed) -> None:
    bed.stubborn.restart(20)
    old = bed.stubborn.pid()
    eventually(bed.stubborn_ready, what="the stubborn app ignores TERM")
    bed.stubborn.restart(20)
    assert bed.stubborn.pid() not in (None, old)


def test_a_restart_that_takes_too_long_ends_in_a_sentence(bed: Bed) -> None:
    bed.stubborn.restart(20)
    eventually(bed.stubborn_ready, what="the stubborn app ignores TERM")
    with pytest.raises(Deadline) as caught:
        bed.stubborn.restart(0.3)
    assert caught.value.next_action


def test_a_restart_works_after_one_that_took_too_long(bed: Bed) -> None:
    bed.stubborn.restart(20)
    eventually(bed.stubborn_ready, what="the stubborn app ignores TERM")
    with pytest.raises(Deadline):
        bed.stubborn.restart(0.3)
    bed.stubborn.restart(20)
    assert bed.stubborn.pid() is not None


def test_supervisord_is_left_as_soon_as_a_process_is_there(start_supervisord: StartSupervisord, apps: Apps) -> None:
    slow = {"startsecs": "60"}
    server = start_supervisord([Program("app", shlex.join(apps.app), autostart=False, options=slow)])
    manager = Supervisord(SupervisordProcess(kind="supervisord", socket=server.socket, program="app"))
    manager.restart(30)
    assert manager.state() == "STARTING"


def test_supervisord_names_the_nearest_program(start_supervisord: StartSupervisord, apps: Apps) -> None:
    server = start_supervisord([Program("web", shlex.join(apps.app), autostart=False)], group="shop")
    manager = Supervisord(SupervisordProcess(kind="supervisord", socket=server.socket, program="shop:weeb"))
    with pytest.raises(Permanent, match="did you mean 'shop:web'"):
        manager.check()
    Supervisord(SupervisordProcess(kind="supervisord", socket=server.socket, program="shop:web")).restart(20)


def test_supervisord_wants_its_password(start_supervisord: StartSupervisord, apps: Apps) -> None:
    programs = [Program("app", shlex.join(apps.app), autostart=False)]
    server = start_supervisord(programs, username="noonday", password="open-sesame")
    right = SupervisordProcess(
        kind="supervisord", socket=server.socket, program="app", username="noonday", password="open-sesame"
    )
    Supervisord(right).check()
    with pytest.raises(Permanent, match="username or password"):
        Supervisord(right.model_copy(update={"password": "wrong"})).check()


def test_a_supervisord_that_hangs_is_not_waited_for(start_supervisord: StartSupervisord, apps: Apps) -> None:
    server = start_supervisord([Program("app", shlex.join(apps.app), autostart=False)])
    settings = SupervisordProcess(kind="supervisord", socket=server.socket, program="app", timeout=0.3)
    stopped = psutil.Process(server.pid)
    stopped.suspend()
    try:
        with pytest.raises(Temporary, match=r"no answer to getProcessInfo within 0\.3 s"):
            Supervisord(settings).pid()
    finally:
        stopped.resume()


def test_a_program_that_can_not_start_is_told_apart(start_supervisord: StartSupervisord, tmp_path: Path) -> None:
    once = {"startretries": "0", "startsecs": "5"}
    server = start_supervisord(
        [
            Program("missing", "/no/such/program", autostart=False, options=once),
            Program("quick", "/bin/false", autostart=False, options=once),
        ]
    )
    missing = Supervisord(SupervisordProcess(kind="supervisord", socket=server.socket, program="missing"))
    with pytest.raises(Permanent, match="refused startProcess"):
        missing.restart(20)
    quick = Supervisord(SupervisordProcess(kind="supervisord", socket=server.socket, program="quick"))
    # It may be seen alive, so that the proof of running code judges it; or ended, by supervisord or by us.
    with suppress(Temporary, Permanent):
        quick.restart(20)
    eventually(lambda: quick.pid() is None, what="the program has ended")


def test_a_unit_that_can_not_start_is_told_apart(tmp_path: Path) -> None:
    systemctl = StandInSystemctl(tmp_path)
    systemctl.add("app.service", ["/no/such/program"])
    with pytest.raises(Temporary, match="failed to start") as caught:
        Systemd(SystemdProcess(kind="systemd", unit="app.service"), systemctl=str(systemctl.path)).restart(20)
    assert caught.value.rule == "start-failed"


def test_a_command_that_fails_says_what_it_said(tmp_path: Path) -> None:
    settings = CommandProcess(
        kind="command", restart=("sh", "-c", "echo no disk left; exit 4"), pid_file=tmp_path / "app.pid"
    )
    with pytest.raises(Temporary, match="failed with 4; it said: no disk left"):
        build_process(settings).restart(10)


def test_a_command_that_leaves_the_old_process_up_is_not_believed(tmp_path: Path) -> None:
    pid_file = tmp_path / "app.pid"
    pid_file.write_text(str(psutil.Process().pid))
    settings = CommandProcess(kind="command", restart=("true",), pid_file=pid_file)
    with pytest.raises(Deadline, match="names no new process"):
        build_process(settings).restart(0.2)


def _kill(manager: ProcessManager) -> None:
    pid = manager.pid()
    assert pid is not None
    psutil.Process(pid).kill()
