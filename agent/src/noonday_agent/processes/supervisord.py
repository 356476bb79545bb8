"""An app under supervisord, asked by XML-RPC over its unix socket."""

from __future__ import annotations

import base64
import difflib
import http.client
import socket
import xml.parsers.expat
import xmlrpc.client
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noonday_agent.config import SupervisordProcess
from noonday_agent.processes.patience import Patience
from noonday_shared.clock import Clock, SystemClock
from noonday_shared.errors import NoondayError, Permanent, Temporary

_POLL = 0.02

_BAD_NAME = 10
_SHUTDOWN_STATE = 6
_ALREADY_STARTED = 60
_NOT_RUNNING = 70

_STOPPED = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")
_UP = ("STARTING", "RUNNING")


class Supervisord:
    """`ProcessManager` for one program. A connection of its own for each call, so any thread may call."""

    def __init__(
        self, settings: SupervisordProcess, clock: Clock | None = None, patience: Patience | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._patience = patience or Patience()

    @property
    def name(self) -> str:
        return f"supervisord {self._settings.program}"

    def restart(self, within: float) -> None:
        """Returns as soon as supervisord has a new process: it calls it RUNNING only after its `startsecs`."""
        deadline = self._clock.monotonic() + within
        self._stop(within)
        self._start()
        self._wait(self._came_up, "is not started", deadline - self._clock.monotonic(), within)

    def let_end(self, within: float) -> float:
        return 0.0

    def pid(self) -> int | None:
        return self._info().pid or None

    def state(self) -> str:
        return self._info().state

    def check(self) -> None:
        self._info()

    def _stop(self, within: float) -> None:
        info = self._info()
        if info.state in _STOPPED:
            return
        if info.state != "STOPPING":
            self._ask("stopProcess", self._settings.program, False, tolerate=_NOT_RUNNING)
        self._wait(lambda: self._info().state in _STOPPED, "has not stopped", within, within)

    def _start(self) -> None:
        self._ask("startProcess", self._settings.program, False, tolerate=_ALREADY_STARTED)

    def _came_up(self) -> bool:
        info = self._info()
        if info.state in _STOPPED:
            raise Temporary(
                f"{self.name} ended as soon as it was started: {info.state}, {info.why}.",
                rule="start-failed",
                next_action=f"read the program's own log: supervisorctl tail {self._settings.program} stderr",
            )
        return info.state in _UP and info.pid > 0

    def _wait(self, done: Callable[[], bool], what: str, left: float, within: float) -> None:
        self._patience.wait(
            done,
            what=f"a restart by {self.name}, which {what}",
            late=f"{self.name} {what} though it had {within:g} s in all; supervisord goes on with it",
            within=max(left, 0.0),
            clock=self._clock,
            next_action=f"supervisorctl status {self._settings.program}; compare stopwaitsecs with restart_within",
            every=_POLL,
        )

    def _info(self) -> _Info:
        raw = self._ask("getProcessInfo", self._settings.program)
        try:
            why = str(raw["spawnerr"] or raw["description"] or f"exit status {raw['exitstatus']}")
            return _Info(str(raw["statename"]), int(raw["pid"]), why)
        except (KeyError, TypeError, ValueError) as error:
            raise self._unavailable(f"it answered something unexpected ({error!r})") from error

    def _ask(self, method: str, *args: object, tolerate: int = 0) -> Any:
        try:
            return self._call(method, *args)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == tolerate:
                return None
            raise self._refusal(method, fault) from fault
        except xmlrpc.client.ProtocolError as error:
            raise self._rejected(error) from error
        except PermissionError as error:
            raise Permanent(
                f"The agent may not use {self._settings.socket}.",
                rule="supervisord-permission",
                next_action="run the agent as root, or give it the socket: chown= in [unix_http_server]",
            ) from error
        except TimeoutError as error:
            raise self._unavailable(f"no answer to {method} within {self._settings.timeout:g} s") from error
        except (OSError, http.client.HTTPException, xmlrpc.client.Error, xml.parsers.expat.ExpatError) as error:
            raise self._unavailable(str(error) or repr(error)) from error

    def _call(self, method: str, *args: object) -> Any:
        transport = _UnixTransport(self._settings)
        # The host is named in the request only; the transport decides where it goes.
        with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport) as server:
            return getattr(server.supervisor, method)(*args)

    def _refusal(self, method: str, fault: xmlrpc.client.Fault) -> NoondayError:
        if fault.faultCode == _BAD_NAME:
            return self._unknown_program()
        if fault.faultCode == _SHUTDOWN_STATE:
            return self._unavailable("it is shutting down")
        return Permanent(
            f"supervisord refused {method} of {self._settings.program}: {fault.faultString}.",
            rule="supervisord-refused",
            next_action=f"try it by hand: supervisorctl start {self._settings.program}",
        )

    def _unknown_program(self) -> Permanent:
        known = _names(self._call("getAllProcessInfo"))
        near = difflib.get_close_matches(self._settings.program, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"it knows: {', '.join(known) or 'none'}"
        return Permanent(
            f"supervisord knows no program {self._settings.program!r} ({hint})",
            rule="unknown-program",
            next_action="mend process.program in agent.toml, or load the program: supervisorctl update",
        )

    def _rejected(self, error: xmlrpc.client.ProtocolError) -> NoondayError:
        if error.errcode in (401, 403):
            return Permanent(
                "supervisord refused the username or password.",
                rule="supervisord-login",
                next_action="make process.username and process.password in agent.toml those of [unix_http_server]",
            )
        return self._unavailable(f"HTTP {error.errcode} {error.errmsg}")

    def _unavailable(self, why: str) -> Temporary:
        return Temporary(
            f"supervisord can't be asked at {self._settings.socket}: {why}.",
            rule="supervisord-unavailable",
            next_action="systemctl status supervisor, and check process.socket in agent.toml",
        )


@dataclass(frozen=True, slots=True)
class _Info:
    state: str
    pid: int
    why: str


def _names(programs: Iterable[dict[str, Any]]) -> list[str]:
    pairs = [(str(program["group"]), str(program["name"])) for program in programs]
    return sorted(name if group == name else f"{group}:{name}" for group, name in pairs)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, settings: SupervisordProcess) -> None:
        super().__init__(headers=_login(settings))
        self._settings = settings

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = self._connection[1] or _UnixConnection(self._settings.socket, self._settings.timeout)
        self._connection = host, connection
        return connection


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _login(settings: SupervisordProcess) -> list[tuple[str, str]]:
    if not settings.username:
        return []
    token = base64.b64encode(f"{settings.username}:{settings.password}".encode()).decode()
    return [("Authorization", f"Basic {token}")]
