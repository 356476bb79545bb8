"""Which sockets of this host answer at an address: from /proc/net, by inode, so that two on one port are told apart."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LISTEN = "0A"


def sockets_answering(url: str) -> tuple[int, frozenset[str]]:
    """The url's port, and the listening sockets that answer there, written like a file descriptor's target.

    Empty when nothing listens there or the url's host is unknown. Never raises.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        targets = {
            _plain(str(info[4][0])) for info in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        }
    except (OSError, ValueError):
        return 0, frozenset()
    listening = [(address, inode) for address, at, inode in _listening() if at == port]
    # The kernel prefers a socket bound to the address itself to one that is bound to all.
    exact = {inode for address, inode in listening if address in targets}
    return port, frozenset(exact or {inode for address, inode in listening if address.is_unspecified})


def _listening() -> Iterator[tuple[Address, int, str]]:
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN:
                    address, _, port = fields[1].partition(":")
                    yield _decode(address), int(port, 16), f"socket:[{fields[9]}]"


def _decode(digits: str) -> Address:
    # The kernel prints 32 bits at a time, each as a number of the machine's own byte order.
    words = (int(digits[at : at + 8], 16) for at in range(0, len(digits), 8))
    return _unmapped(ipaddress.ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words)))


def _plain(text: str) -> Address:
    return _unmapped(ipaddress.ip_address(text.partition("%")[0]))


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
