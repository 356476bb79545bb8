"""A private supervisord in a folder: its own socket, log and programs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from noonday_shared.clock import SystemClock, wait_until
from noonday_shared.errors import BadInput, Permanent

_START_WITHIN = 20.0
_STOP_WITHIN = 20.0
_CTL_WITHIN = 30.0
_LONGEST_SOCKET = 100


@dataclass(frozen=True, slots=True)
class Program:
    """One `[program:…]`. `options` are lines of supervisord's own, as in {"stopwaitsecs": "1"}."""

    name: str
    command: str
    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    autostart: bool = True
    options: Mapping[str, str] = field(default_factory=dict)

    def section(self, logs: Path) -> str:
        lines = {
            "command": self.command,
            "autostart": str(self.autostart).lower(),
            "startsecs": "1",
            "redirect_stderr": "true",
            "stdout_logfile": str(logs / f"{self.name}.out"),
        }
        if self.directory:
            lines["directory"] = str(self.directory)
        if self.environment:
            lines["environment"] = ",".join(f'{key}="{value}"' for key, value in self.environment.items())
        return _section(f"program:{self.name}", lines | dict(self.options))


class SupervisordProcess:
    """supervisord with `programs` in `folder`, which is made. Not for many threads."""

    def __init__(
        self,
        folder: Path,
        programs: Iterable[Program],
        *,
        username: str = "",
        password: str = "",
        group: str = "",
        prefix: Sequence[str] = (),
    ) -> None:
        """`group`: one more `[group:…]` around all programs. `prefix`: in front of supervisord's own command line."""
        self.folder = folder
        self.socket = folder / "sv.sock"
        self._programs = tuple(programs)
        self._login = {"username": username, "password": password} if username else {}
        self._group = group
        self._prefix = tuple(prefix)
        self._server: subprocess.Popen[bytes] | None = None
        if len(str(self.socket)) > _LONGEST_SOCKET:
            raise BadInput(f"{self.socket} is too long for a unix socket.", next_action="use a shorter folder")

    @property
    def pid(self) -> int:
        """Of supervisord itself; 0 while it is down."""
        return self._server.pid if self._server else 0

    def start(self) -> None:
        """Block until it answers. Does nothing when it runs. Raises `Deadline` after 20 s."""
        if self._server is not None:
            return
        self._write()
        with (self.folder / "supervisord.out").open("ab") as output:
            self._server = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(self._config)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(
            self.socket.exists,
            what=f"supervisord's socket {self.socket}",
            within=_START_WITHIN,
            clock=SystemClock(),
            next_action=f"read {self.folder}/supervisord.out",
        )

    def stop(self) -> None:
        """End it and what it runs: in order first, then by force. May be repeated."""
        if self._server is None:
            return
        below = _tree_below(self._server.pid)
        self._server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._server.wait(_STOP_WITHIN)
        self._end(below)

    def kill(self) -> None:
        """As `stop`, by force at once."""
        if self._server is not None:
            self._end(_tree_below(self._server.pid))

    def reread(self, programs: Iterable[Program]) -> None:
        """Make `programs` what it runs: new ones start, missing ones stop, changed ones do both."""
        self._programs = tuple(programs)
        self._write()
        self.ctl("update")

    def ctl(self, *args: str) -> str:
        """What `supervisorctl` answers; its status is ignored, since 'status' is 3 when anything is down."""
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self._config), *args]
        try:
            done = subprocess.run(
                command, cwd=self.folder, capture_output=True, text=True, timeout=_CTL_WITHIN, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Permanent(
                f"supervisorctl {' '.join(args)}: no answer within {_CTL_WITHIN:g} s.",
                next_action=f"read {self.folder}/supervisord.log",
            ) from error
        return done.stdout

    def _end(self, below: Iterable[psutil.Process]) -> None:
        if self._server is None:
            return
        # supervisord goes first: it would start again what it sees die.
        self._server.kill()
        self._server.wait()
        for process in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._server = None
        self.socket.unlink(missing_ok=True)

    @property
    def _config(self) -> Path:
        return self.folder / "supervisord.conf"

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        serve = {"file": str(self.socket), "chmod": "0600"} | self._login
        ask = {"serverurl": f"unix://{self.socket}"} | self._login
        main = {
            "logfile": str(self.folder / "supervisord.log"),
            "pidfile": str(self.folder / "supervisord.pid"),
            "childlogdir": str(self.folder),
        }
        parts = [
            _section("unix_http_server", serve),
            _section("supervisord", main),
            _section("supervisorctl", ask),
            _section(
                "rpcinterface:supervisor",
                {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
            ),
            *(program.section(self.folder) for program in self._programs),
        ]
        if self._group:
            names = ",".join(program.name for program in self._programs)
            parts.append(_section(f"group:{self._group}", {"programs": names}))
        self._config.write_text("\n".join(parts), encoding="utf-8")
        self._config.chmod(0o600)


def _section(name: str, lines: Mapping[str, str]) -> str:
    # '%' starts an expansion in supervisord's configuration.
    return f"[{name}]\n" + "".join(f"{key}={value.replace('%', '%%')}\n" for key, value in lines.items())


def _tree_below(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
