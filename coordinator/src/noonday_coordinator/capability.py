"""Addresses of pushed releases that agents fetch without a token: only who was told one can guess it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from noonday_coordinator.store.artifacts import archive_name
from noonday_shared.errors import BadInput
from noonday_shared.files import write_whole
from noonday_shared.names import ReleaseRef
from noonday_shared.release import SUFFIX


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`secret` signs names; an archive and its manifest share one capability, since the manifest's URL is derived."""

    base_url: str
    secret: bytes

    @classmethod
    def kept_in(cls, path: Path, base_url: str) -> Capabilities:
        """With the secret in `path`, made on first use: addresses stay good over restarts."""
        if not path.exists():
            write_whole(path, secrets.token_hex(32), mode=0o600)
        secret = path.read_bytes().strip()
        if len(secret) < 64:
            raise BadInput(
                f"{path} holds no secret.", next_action=f"remove {path}; a new one is made at the next start"
            )
        return cls(base_url, secret)

    def url(self, app: str, release: ReleaseRef) -> str:
        """Where agents fetch the archive; the manifest is at the same address with '.manifest' behind it."""
        name = archive_name(app, release)
        return f"{self.base_url}/artifacts/{self.of(name)}/{name}"

    def of(self, name: str) -> str:
        return hmac.new(self.secret, name.removesuffix(SUFFIX).encode(), hashlib.sha256).hexdigest()

    def allows(self, capability: str, name: str) -> bool:
        return hmac.compare_digest(self.of(name).encode(), capability.encode())
