"""Free ports on loopback."""

from __future__ import annotations

import os
import random
import socket

_FIRST, _EACH = 20_000, 6_000
"""Below the ports that the kernel gives to outgoing connections; each test process that runs beside others has its own
share, so that none takes what another has just found free."""
_share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 2
_left = [_FIRST + _share * _EACH + offset for offset in range(_EACH)]
random.Random(os.getpid()).shuffle(_left)


def free_port(host: str = "127.0.0.1") -> int:
    """One that is free on `host` now, and that this process was not given before: it may be bound much later."""
    while True:
        port = _left.pop()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
