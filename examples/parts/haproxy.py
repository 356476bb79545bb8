"""A private HAProxy: its own folder, ports and process group; nothing of the machine's own HAProxy is touched."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO

from noonday_shared.clock import SystemClock, wait_until
from noonday_shared.errors import BadInput, Deadline, Temporary

_KILL_WITHIN = 5.0


class HaproxyProcess:
    """HAProxy in master-worker mode with `config_text` beside a `global` section that opens `admin_socket`.

    `config_text` may have a `global` section of its own, as for more sockets. Not for many threads.
    """

    def __init__(self, folder: Path, config_text: str) -> None:
        found = shutil.which("haproxy", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin")
        if found is None:
            raise BadInput("HAProxy is missing on this machine.", next_action="apt-get install haproxy")
        self._program = found
        self._folder = folder
        self._config_text = config_text
        self._master: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self.admin_socket = folder / "admin.sock"

    def start(self, within: float = 10.0) -> None:
        """Block until its runtime API answers. Does nothing when it runs. Raises `Temporary` with its last words."""
        if not self._ended():
            return
        self.stop()
        self._write(self._config_text)
        self._output = (self._folder / "haproxy.log").open("ab")
        self._master = subprocess.Popen(
            [self._program, "-W", "-db", *self._files()],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )
        try:
            self._wait_for_worker(other_than="", what="HAProxy's runtime API", within=within)
        except BaseException:
            self.stop()
            raise

    def stop(self, within: float = 5.0) -> None:
        """End it and whatever of it is left, requests under way or not. Does nothing when it does not run."""
        master, self._master = self._master, None
        if master is None:
            return
        _signal(master.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            master.wait(within)
        _signal(master.pid, signal.SIGKILL)
        master.wait(_KILL_WITHIN)
        if self._output is not None:
            self._output.close()
        self.admin_socket.unlink(missing_ok=True)

    def reload(self, config_text: str | None = None, within: float = 10.0) -> None:
        """As an operator's reload: no connection is refused, and every order given at run time is forgotten.

        Raises `BadInput` when HAProxy refuses the configuration; the old one goes on then.
        """
        if self._master is None:
            raise Temporary("HAProxy does not run, so it can't be reloaded.", next_action="start it")
        before = self._worker()
        self._write(config_text or self._config_text)
        self._try()
        self._master.send_signal(signal.SIGUSR2)
        self._wait_for_worker(other_than=before, what="a new HAProxy worker after the reload", within=within)

    def ask(self, line: str) -> str:
        """What the runtime API answers. Raises `OSError` when it can't be reached within 2 s."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(2.0)
            link.connect(str(self.admin_socket))
            link.sendall(line.encode() + b"\n")
            return b"".join(iter(lambda: link.recv(65_536), b"")).decode(errors="replace")

    def words(self) -> str:
        """Whether it runs, what of its socket is there, and its last words, for a test that failed."""
        master = "never started" if self._master is None else f"master {self._master.pid}, ended: {self._master.poll()}"
        return f"{master}; beside its socket: {sorted(os.listdir(self._folder))}\n{self._last_words()}"

    def _write(self, config_text: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        base = f"global\n  stats socket {self.admin_socket} mode 600 level admin expose-fd listeners\n"
        (self._folder / "base.cfg").write_text(base, encoding="utf-8")
        (self._folder / "haproxy.cfg").write_text(config_text.rstrip() + "\n", encoding="utf-8")

    def _try(self) -> None:
        tried = subprocess.run([self._program, "-c", *self._files()], capture_output=True, text=True, check=False)
        if tried.returncode:
            raise BadInput(f"HAProxy refuses its configuration: {tried.stderr.strip()}", next_action="mend it")

    def _files(self) -> list[str]:
        return ["-f", str(self._folder / "base.cfg"), "-f", str(self._folder / "haproxy.cfg")]

    def _wait_for_worker(self, *, other_than: str, what: str, within: float) -> None:
        try:
            wait_until(
                lambda: self._ended() or self._worker() not in ("", other_than),
                what=what,
                within=within,
                clock=SystemClock(),
                every=0.01,
            )
        except Deadline as error:
            raise Temporary(f"{error.text} Its last words: {self._last_words()}") from error
        if self._ended():
            raise Temporary(f"HAProxy ended at once. Its last words: {self._last_words()}")

    def _ended(self) -> bool:
        return self._master is None or self._master.poll() is not None

    def _worker(self) -> str:
        """The pid of the process that answers; empty while none does."""
        try:
            found = re.search(r"^Pid: (\d+)$", self.ask("show info"), re.MULTILINE)
        except OSError:
            return ""
        return found[1] if found else ""

    def _last_words(self) -> str:
        return (self._folder / "haproxy.log").read_text(encoding="utf-8", errors="replace")[-2000:]


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)
