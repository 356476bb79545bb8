"""The signed envelope around every message.

JSON of `{schema, kind, body, signature}`. `body` is the message's own JSON as a string, and the signature (Ed25519)
covers `noonday/<schema>/<kind>\\n` and exactly those bytes: nobody has to agree on a canonical form of JSON, and fields
that the reader does not know yet stay covered.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from noonday_shared.errors import BadInput
from noonday_shared.keys import PublicKey, SigningKey

SCHEMA = 1
LARGEST = 1 << 20


class Wire(BaseModel):
    """Base of every message: unknown fields are ignored (a newer sender), a read value never changes."""

    # Values are new in each message: pydantic would keep 16,384 of them for nothing.
    model_config = ConfigDict(extra="ignore", frozen=True, cache_strings="keys")


class Envelope(Wire):
    schema_: int
    kind: str
    body: str
    signature: str = ""

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))


W = TypeVar("W", bound=BaseModel)


def seal(kind: str, message: BaseModel, key: SigningKey) -> bytes:
    """The message as bytes for the wire or a file, signed by `key`."""
    body = message.model_dump_json()
    signature = base64.b64encode(key.sign(_signed(SCHEMA, kind, body))).decode()
    envelope = Envelope.model_validate({"schema": SCHEMA, "kind": kind, "body": body, "signature": signature})
    return envelope.model_dump_json(by_alias=True).encode()


def read_envelope(raw: bytes, kind: str) -> Envelope:
    """The envelope, its signature not yet checked. Raises `BadInput` for anything that is no `kind` of our schema."""
    if len(raw) > LARGEST:
        raise _refused("too-large", f"a {kind} of {len(raw)} bytes is larger than {LARGEST}")
    try:
        envelope = Envelope.model_validate_json(raw)
    except ValidationError as error:
        raise _refused("not-an-envelope", f"this is not a Noonday {kind}") from error
    if envelope.schema_ != SCHEMA:
        raise _refused("unknown-schema", f"schema {envelope.schema_} is not known here (known: {SCHEMA})")
    if envelope.kind != kind:
        raise _refused("wrong-kind", f"a {envelope.kind[:40]!r} came where a {kind} was expected")
    return envelope


def peek(envelope: Envelope, model: type[W]) -> W:
    """The body, unchecked: only to find out whose key must have signed it. Raises `BadInput`."""
    try:
        return model.model_validate_json(envelope.body)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part)[:40] for part in problem["loc"])
        raise _refused("bad-body", f"{envelope.kind}: {where[:100]}: {problem['msg'][:200]}") from error


def verified(envelope: Envelope, keys: Iterable[PublicKey]) -> bool:
    """Whether one of `keys` signed this envelope."""
    try:
        signature = base64.b64decode(envelope.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    message = _signed(envelope.schema_, envelope.kind, envelope.body)
    return any(key.verifies(signature, message) for key in keys)


def open_sealed(raw: bytes, kind: str, model: type[W], keys: Iterable[PublicKey]) -> W:
    """The message inside, signed by one of `keys`. Raises `BadInput` (rule `bad-signature` among others)."""
    envelope = read_envelope(raw, kind)
    if not verified(envelope, keys):
        raise _refused("bad-signature", f"the {kind} is not signed by a key that is pinned here")
    return peek(envelope, model)


def _signed(schema: int, kind: str, body: str) -> bytes:
    return f"noonday/{schema}/{kind}\n{body}".encode()


def _refused(rule: str, text: str) -> BadInput:
    return BadInput(f"Refused: {text}.", rule=rule, next_action="check keys and versions on both sides: noonday doctor")
