"""What arrives from hosts: opened, checked against the enrolled host's key, and refused in words otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel

from noonday_coordinator.core.events import Report
from noonday_coordinator.core.state import Host
from noonday_shared.envelope import peek, read_envelope, verified
from noonday_shared.errors import BadInput
from noonday_shared.keys import PublicKey
from noonday_shared.messages import AppSnapshot, Evidence, Snapshot
from noonday_shared.messages.evidence import KIND as EVIDENCE
from noonday_shared.messages.snapshot import KIND as STATE

M = TypeVar("M", bound=BaseModel)


class Stranger(BadInput):
    """A host that is not enrolled sent something; it changes nothing. `host` names it."""

    rule = "not-enrolled"


def open_snapshot(raw: bytes, hosts: Mapping[str, Host]) -> Snapshot:
    """Raises `Stranger` for a host that is not enrolled, `BadInput` for anything else that can't be trusted."""
    return _open(raw, STATE, Snapshot, hosts)


def open_evidence(raw: bytes, hosts: Mapping[str, Host]) -> Evidence:
    """As `open_snapshot`."""
    return _open(raw, EVIDENCE, Evidence, hosts)


def report_of(snapshot: Snapshot, app: AppSnapshot) -> Report:
    """The part of a snapshot that decisions and history need."""
    return Report(
        boot=snapshot.boot,
        seq=snapshot.seq,
        term=app.term,
        generation=app.generation,
        outcome=app.outcome,
        phase=app.phase,
        step=app.step,
        going_back=app.going_back,
        live=app.live,
        proven=app.proven,
        prepared=app.prepared,
        in_service=app.in_service,
        healthy=app.healthy,
        restarts=app.restarts,
        trouble=app.trouble,
        seconds_out=app.seconds_out,
        timings=app.timings,
    )


def _open(raw: bytes, kind: str, model: type[M], hosts: Mapping[str, Host]) -> M:
    envelope = read_envelope(raw, kind)
    message = peek(envelope, model)
    name = str(getattr(message, "host", ""))
    host = hosts.get(name)
    if host is None:
        raise Stranger(
            f"{name} reports, but is not enrolled; this changes nothing.",
            host=name,
            next_action=f"noonday enroll {name}",
        )
    if not verified(envelope, [PublicKey.parse(host.public_key)]):
        raise BadInput(
            f"A {kind} in the name of {name} is not signed by its key; this changes nothing.",
            rule="bad-signature",
            host=name,
            next_action=f"copy the key that 'noonday enroll' printed to {name}, or: noonday enroll {name} --rotate",
        )
    return message
