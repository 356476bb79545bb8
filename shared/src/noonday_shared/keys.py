"""Ed25519 keys (RFC 8032): made, kept in files only their owner reads, pinned as base64, used to sign and check."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from noonday_shared.errors import BadInput
from noonday_shared.files import write_whole


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A pinned key; its text form is the 32 raw bytes in base64."""

    raw: bytes

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Raises `BadInput` when `text` is not a public key."""
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _not_a_key(text) from error
        if len(raw) != 32:
            raise _not_a_key(text)
        return cls(raw)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        return base64.b64encode(self.raw).decode()


class SigningKey:
    """A private key; its text form (the seed in base64) stays in a file of mode 0600."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    @classmethod
    def new(cls) -> SigningKey:
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Raises `BadInput` when `text` is not a private key."""
        return cls(PublicKey.parse(text).raw)

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Raises `BadInput` when the file is missing, unreadable or holds no key."""
        try:
            return cls.parse(path.read_text(encoding="ascii").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"The key file {path} can't be read.", next_action=f"check {path} and its owner") from error

    def save(self, path: Path) -> None:
        write_whole(path, f"{self.seed_text}\n", mode=0o600)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    @property
    def seed_text(self) -> str:
        return base64.b64encode(self._seed).decode()


def _not_a_key(text: str) -> BadInput:
    return BadInput(f"{text[:12]!r}… is not an Ed25519 key (32 bytes in base64).", next_action="copy the key again")
