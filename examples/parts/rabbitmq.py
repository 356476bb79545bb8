"""A private RabbitMQ node: its own ports, folder, cookie and epmd; nothing of the machine's own broker is touched."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO

from noonday_shared.clock import SystemClock, wait_until
from noonday_shared.errors import BadInput, Permanent, Temporary

SCRIPT_FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/opt/homebrew/opt/rabbitmq/sbin")
"""Where the scripts lie that run as whoever calls them. Debian's in /usr/sbin change to the user rabbitmq."""

_START_WITHIN = 180.0
_STOP_WITHIN = 20.0
_CTL_WITHIN = 60.0


def scripts() -> Path | None:
    """The folder with RabbitMQ's own scripts, or None where RabbitMQ or Erlang is missing."""
    if not (shutil.which("erl") and shutil.which("epmd")):
        return None
    return next((Path(folder) for folder in SCRIPT_FOLDERS if (Path(folder) / "rabbitmq-server").exists()), None)


class RabbitNode:
    """One node in `folder` on loopback. Ports stay the same over restarts. Not for many threads."""

    def __init__(self, folder: Path) -> None:
        found = scripts()
        if found is None:
            raise BadInput("RabbitMQ is missing on this machine.", next_action="apt-get install rabbitmq-server")
        self._scripts = found
        self._folder = folder
        self.port = _free_port()
        self._epmd_port = _free_port()
        self._name = f"noonday{self.port}@localhost"
        self._env = self._environment()
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def start(self) -> None:
        """Block until AMQP answers. Does nothing when it runs. Raises `Deadline` after 180 s."""
        if self._server is not None:
            return
        self._prepare()
        self._output = (self._folder / "server.out").open("ab")
        self._server = subprocess.Popen(
            [self._scripts / "rabbitmq-server"],
            env=self._env,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until(
            self._answers,
            what=f"RabbitMQ on port {self.port}",
            within=_START_WITHIN,
            clock=SystemClock(),
            next_action=f"read {self._folder}/server.out",
        )

    def stop(self) -> None:
        """Shut down in order; data is kept for the next `start`."""
        if self._server is not None:
            self._server.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(_STOP_WITHIN)
            self.kill()

    def kill(self) -> None:
        """As a power cut does; data that was on disk is kept for the next `start`."""
        if self._server is not None:
            _kill_group(self._server)
            self._server = None
        if self._output is not None:
            self._output.close()
            self._output = None

    def wipe(self) -> None:
        """Come back as a new broker on the same port: no queue, exchange or message is left."""
        self.kill()
        shutil.rmtree(self._folder / "mnesia", ignore_errors=True)
        self.start()

    def close(self) -> None:
        """End everything that was started here, epmd too."""
        self.stop()
        if self._epmd is not None:
            _kill_group(self._epmd)
            self._epmd = None

    def ctl(self, *args: str) -> str:
        """What `rabbitmqctl` answers. Raises `Permanent` with its words when it fails."""
        command: list[str | Path] = [self._scripts / "rabbitmqctl", "--quiet", "--node", self._name, *args]
        try:
            done = subprocess.run(
                command,
                env=self._env,
                cwd=self._folder,
                capture_output=True,
                text=True,
                timeout=_CTL_WITHIN,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            words = (error.stderr or error.stdout).strip()
            raise Permanent(f"rabbitmqctl {' '.join(args)}: {words}", next_action="read the words above") from error
        return done.stdout

    def _prepare(self) -> None:
        for part in ("home", "mnesia", "log", "schema"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        cookie = self._folder / "home" / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(secrets.token_hex(20))
            cookie.chmod(0o400)
        for name, text in (("enabled_plugins", "[].\n"), ("rabbitmq.conf", ""), ("rabbitmq-env.conf", "")):
            (self._folder / name).write_text(text)
        if self._epmd is None:
            self._epmd = self._start_epmd()

    def _start_epmd(self) -> subprocess.Popen[bytes]:
        # Started here and not by Erlang, which would leave it behind as a daemon for ever.
        epmd = subprocess.Popen(
            ["epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(
            lambda: _listens(self._epmd_port),
            what=f"epmd on port {self._epmd_port}",
            within=10.0,
            clock=SystemClock(),
            next_action="run epmd -d by hand and read what it says",
        )
        return epmd

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        ctl_port = _free_port()
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        return keep | {
            "HOME": str(folder / "home"),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(_free_port()),
            # By default 10,000 above the node's, which may be above the last port there is.
            "RABBITMQ_CTL_DIST_PORT_MIN": str(ctl_port),
            "RABBITMQ_CTL_DIST_PORT_MAX": str(min(ctl_port + 10, 65_535)),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
            "RABBITMQ_PID_FILE": str(folder / "server.pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            # Erlang's schedulers spin while they wait, which costs the neighbours of a small machine dearly.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
            "RABBITMQ_CTL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def _answers(self) -> bool:
        if self._server is not None and self._server.poll() is not None:
            raise Temporary(
                f"RabbitMQ ended with status {self._server.returncode} while it started.",
                next_action=f"read {self._folder}/server.out",
            )
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2.0) as link:
                link.settimeout(2.0)
                link.sendall(b"AMQP\x00\x00\x09\x01")
                return link.recv(1) == b"\x01"
        except OSError:
            return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """The process and all it started: it leads a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_STOP_WITHIN)
