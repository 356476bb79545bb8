"""A broker's URL, read into pika's parameters with our timeouts."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pika

from noonday_shared.errors import BadInput

HEARTBEAT = 10
"""Seconds. A half-open connection is noticed after pika's check, 15 to 30 s."""

BLOCKED_TIMEOUT = 60.0
"""Seconds that a broker may take no messages (memory or disk alarm) before we leave and come back."""

CONNECT_TIMEOUT = 5.0
HANDSHAKE_TIMEOUT = 10.0


def parameters(url: str, *, ca_file: Path | None, name: str) -> pika.connection.Parameters:
    """Raises `BadInput`, which never shows the password."""
    try:
        if not url.startswith(("amqp://", "amqps://")) or not urlsplit(url).hostname:
            raise ValueError("not a broker's URL")
        # pika reads the query too (heartbeat=…), and complains about what it does not know there.
        wanted = pika.URLParameters(url)
    except (ValueError, TypeError):
        # Without the cause: it may quote the URL, and the URL holds the password.
        raise BadInput(
            "The broker's URL is not like amqp://user:password@host:5672/vhost.",
            rule="bad-broker-url",
            next_action="mend the broker's url",
        ) from None
    if url.startswith("amqps://"):
        wanted.ssl_options = pika.SSLOptions(_tls(ca_file), wanted.host)
    wanted.heartbeat = HEARTBEAT
    wanted.blocked_connection_timeout = BLOCKED_TIMEOUT
    wanted.socket_timeout = CONNECT_TIMEOUT
    wanted.stack_timeout = HANDSHAKE_TIMEOUT
    wanted.connection_attempts = 1
    wanted.client_properties = {"product": "noonday", "connection_name": name or "noonday"}
    return wanted


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise BadInput(
            f"The broker's CA file {ca_file} can't be used: {error}.",
            rule="bad-ca-file",
            next_action=f"put the CA's certificate in PEM form at {ca_file}",
        ) from error
