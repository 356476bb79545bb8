"""A private sshd on the servers' loopback addresses, with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from examples.webshop.child import Child
from noonday_shared.clock import SystemClock, wait_until
from noonday_shared.errors import BadInput

_PRIVILEGE_SEPARATION = Path("/run/sshd")


class PrivateSshd:
    """Everything of it lies in `folder`; only `client_key` gets in, as the user that runs this."""

    def __init__(self, folder: Path, addresses: Sequence[str], port: int) -> None:
        found = shutil.which("sshd", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin")
        if found is None or shutil.which("ssh-keygen") is None:
            raise BadInput("sshd is missing on this machine.", next_action="apt-get install openssh-server")
        self._program = found
        self._folder = folder
        self._addresses = addresses
        self.port = port
        self.user = getpass.getuser()
        self.client_key = folder / "client"
        self._process: Child | None = None

    def start(self) -> None:
        """Block until it answers. Raises `Deadline` after 10 s."""
        self._folder.mkdir(parents=True)
        for key in ("host", "client"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._folder / key)]
            subprocess.run(argv, check=True, capture_output=True)
        shutil.copy(self._folder / "client.pub", self._folder / "authorized_keys")
        (self._folder / "sshd_config").write_text(self._config())
        if os.getuid() == 0:
            # sshd insists on this empty folder; its path is built in.
            _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        argv = [self._program, "-D", "-e", "-f", str(self._folder / "sshd_config")]
        self._process = Child("sshd", argv, output=self._folder / "sshd.log")
        wait_until(self._answers, what=f"sshd on port {self.port}", within=10.0, clock=SystemClock())

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def _config(self) -> str:
        listen = "\n".join(f"ListenAddress {address}" for address in self._addresses)
        return f"""\
Port {self.port}
{listen}
HostKey {self._folder}/host
AuthorizedKeysFile {self._folder}/authorized_keys
PidFile {self._folder}/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
Subsystem sftp internal-sftp
"""

    def _answers(self) -> bool:
        if self._process is not None:
            self._process.must_run()
        try:
            with socket.create_connection((self._addresses[0], self.port), timeout=1.0) as link:
                return link.recv(4) == b"SSH-"
        except OSError:
            return False
