"""What arrives from hosts: opened, checked against the enrolled host's key, and refused in words otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel

from noonday_coordinator.core.events import Report
from noonday_coordinator.core.state import Host
from noonday_coordinator.verdict.sampler import other_identity
from noonday_shared.envelope import Envelope, Wire, peek, read_envelope, verified
from noonday_shared.errors import BadInput
from noonday_shared.keys import PublicKey
from noonday_shared.messages import AppSnapshot, Claim, Evidence, Snapshot
from noonday_shared.messages.claim import KIND as CLAIM
from noonday_shared.messages.evidence import IDENTITY_VERSION
from noonday_shared.messages.evidence import KIND as EVIDENCE
from noonday_shared.messages.snapshot import KIND as STATE

M = TypeVar("M", bound=BaseModel)


class Stranger(BadInput):
    """A host that is not enrolled sent something; it changes nothing. `host` names it."""

    rule = "not-enrolled"


class Useless(BadInput):
    """An enrolled host sent and signed what can't be used. `app`: what it tells of; empty when that is not known."""

    rule = "bad-body"

    def __init__(self, text: str, *, host: str, app: str, next_action: str) -> None:
        super().__init__(text, host=host, next_action=next_action)
        self.app = app


class _Claim(Wire):
    """What can still be read of a message that is not as it should be."""

    host: str
    app: str = ""
    identity_version: int = IDENTITY_VERSION


def open_snapshot(raw: bytes, hosts: Mapping[str, Host]) -> Snapshot:
    """Raises `Stranger` for a host that is not enrolled, `BadInput` for anything else that can't be trusted."""
    return _open(raw, STATE, Snapshot, hosts)


def open_claim(raw: bytes, hosts: Mapping[str, Host]) -> Claim:
    """As `open_snapshot`."""
    return _open(raw, CLAIM, Claim, hosts)


def open_evidence(raw: bytes, hosts: Mapping[str, Host]) -> Evidence:
    """As `open_snapshot`; and `Useless` when the host itself sent what is not as it should be."""
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
    try:
        message = peek(envelope, model)
    except BadInput as error:
        raise _named(envelope, error, hosts) from error
    _check_signature(envelope, str(getattr(message, "host", "")), hosts)
    return message


def _named(envelope: Envelope, error: BadInput, hosts: Mapping[str, Host]) -> BadInput:
    """The same, but for a host that can be held to it."""
    try:
        claim = peek(envelope, _Claim)
        _check_signature(envelope, claim.host, hosts)
    except BadInput:
        return error
    if claim.identity_version != IDENTITY_VERSION:
        text = other_identity(claim.host, claim.identity_version)
        return Useless(text, host=claim.host, app=claim.app, next_action=f"install the same Noonday on {claim.host}")
    text = f"what {claim.host} tells is refused ({error.text.removeprefix('Refused: ').rstrip('.')})"
    fix = f"look at the agent's version and settings on {claim.host}"
    return Useless(text, host=claim.host, app=claim.app, next_action=fix)


def _check_signature(envelope: Envelope, name: str, hosts: Mapping[str, Host]) -> None:
    host = hosts.get(name)
    if host is None:
        shown = name[:63]
        raise Stranger(
            f"{shown} reports, but is not enrolled; this changes nothing.",
            host=shown,
            next_action=f"noonday enroll {shown}",
        )
    if not verified(envelope, [PublicKey.parse(host.public_key)]):
        raise BadInput(
            f"A {envelope.kind} in the name of {name} is not signed by its key; this changes nothing.",
            rule="bad-signature",
            host=name,
            next_action=f"copy the key that 'noonday enroll' printed to {name}, or: noonday enroll {name} --rotate",
        )
