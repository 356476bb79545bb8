"""HAProxy's runtime API: one connection, one line of commands, one answer."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from noonday_shared.errors import NoondayError, Permanent, Temporary

MAX_ANSWER = 4 << 20
"""Bytes. One backend's servers take about 500 bytes each; more than this is not HAProxy, or not one backend."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """`address`: path of the unix socket, or host:port. `owner` leads every error, as in 'haproxy web/web-1'."""

    address: str
    owner: str

    def ask(self, line: str, *, deadline: float) -> str:
        """HAProxy's answer to `line` (commands joined by ';', each answer ended by an empty line).

        `deadline` is an instant of `time.monotonic`. Raises `Temporary` when nothing answers until then, `Permanent`
        when the socket is not ours to open.
        """
        try:
            with self._connect(deadline) as link:
                link.sendall(line.encode() + b"\n")
                return self._read_to_end(link, deadline)
        except PermissionError as error:
            raise self._forbidden() from error
        except TimeoutError as error:
            raise self._unreachable("it did not answer in time") from error
        except OSError as error:
            raise self._unreachable(error.strerror or str(error)) from error

    def _connect(self, deadline: float) -> socket.socket:
        if "/" not in self.address:
            host, _, port = self.address.rpartition(":")
            return socket.create_connection((host.strip("[]"), port), timeout=_left(deadline))
        link = socket.socket(socket.AF_UNIX)
        try:
            link.settimeout(_left(deadline))
            link.connect(self.address)
        except BaseException:  # whatever it is, the socket is nobody else's to close
            link.close()
            raise
        return link

    def _read_to_end(self, link: socket.socket, deadline: float) -> str:
        answer = bytearray()
        while len(answer) <= MAX_ANSWER:
            link.settimeout(_left(deadline))
            chunk = link.recv(64 << 10)
            if not chunk:
                return answer.decode(errors="replace")
            answer += chunk
        raise Permanent(
            f"{self.owner}: {self.address} answers more than {MAX_ANSWER >> 20} MiB; that is no runtime API.",
            rule="balancer-address",
            next_action="check the balancer's address in agent.toml",
        )

    def _unreachable(self, reason: str) -> NoondayError:
        return Temporary(
            f"{self.owner}: the runtime API at {self.address} can't be asked: {reason}.",
            rule="balancer-unreachable",
            next_action="check that HAProxy runs and that its 'stats socket' has this address",
        )

    def _forbidden(self) -> NoondayError:
        return Permanent(
            f"{self.owner}: the agent's user may not open {self.address}.",
            rule="balancer-permission",
            next_action="give the socket's group to the agent's user ('stats socket … group … mode 660')",
        )


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
