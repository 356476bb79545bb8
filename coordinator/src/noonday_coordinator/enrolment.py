"""Enrolling a host: its key, its labels, and the part of agent.toml that only the coordinator knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noonday_coordinator.api.context import Context
from noonday_coordinator.core.commands import Enroll
from noonday_coordinator.words import say_all
from noonday_shared.errors import BadInput
from noonday_shared.keys import PublicKey, SigningKey

HOST_KEY_FILE = "/etc/noonday/host.key"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """`host_key` is the private key, shown once and kept nowhere here; empty when the host brought its own."""

    host: str
    agent_toml: str
    host_key: str
    words: str


def enroll(
    context: Context,
    host: str,
    labels: dict[str, str],
    *,
    by: str,
    public_key: str = "",
    rotate: bool = False,
    why: str = "",
) -> Enrolment:
    """Make `host` known. An enrolled host keeps its key and gets other labels; another key needs `rotate`.

    Raises `BadInput` when it is enrolled already and nothing that may change would.
    """
    known = context.engine.state.hosts.get(host)
    if known is not None and not rotate and not public_key and labels != known.labels:
        public_key = known.public_key
    if public_key:
        PublicKey.parse(public_key)
    if known is not None and not rotate and known.public_key != public_key:
        raise BadInput(
            f"{host} is enrolled already, and its key can't be shown again.",
            rule="already-enrolled",
            next_action=f"to give it a new key, which cuts off the old one: noonday enroll {host} --rotate",
        )
    made = None if public_key else SigningKey.new()
    records = context.submit(Enroll(host, labels, str(made.public) if made else public_key, why), by)
    return Enrolment(host, agent_toml(context, host), made.seed_text if made else "", say_all(records))


def agent_toml(context: Context, host: str) -> str:
    """What goes at the top of the host's agent.toml, before its [apps]. Holds the broker's password."""
    broker = context.config.broker
    ca = f'ca_file = "{Path("/etc/noonday") / broker.ca_file.name}"\n' if broker.ca_file else ""
    releases = ", ".join(f'"{key}"' for key in context.config.release_keys)
    return (
        f'host = "{host}"\n\n'
        f"[broker]\n"
        f"url = {_quoted(broker.agents_url or broker.url)}\n"
        f"{ca}\n"
        f"[trust]\n"
        f'coordinator = "{context.coordinator_key}"\n'
        f"releases = [{releases}]\n"
        f'host_key_file = "{HOST_KEY_FILE}"   # the key below, mode 0600\n'
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
