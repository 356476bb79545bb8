"""The API as tests use it: JSON in and out, with the token of alice."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

from noonday_coordinator.api.context import Context
from noonday_coordinator.api.models import MANIFEST_BYTES, PREFIX
from noonday_coordinator.core.events import (
    Finding,
)
from noonday_shared.keys import SigningKey
from noonday_shared.names import ReleaseRef
from noonday_shared.release import BuiltRelease
from support.fake_clock import FakeClock
from support.fake_engine import TOKEN, FakeEngine

KEY = SigningKey.new()
OLD = ReleaseRef(version="1.0.0", digest="a" * 64)
HOSTS = ("web-1", "web-2", "web-3")
FINDING = Finding("k", "new-error", True, "ERROR new with 1.1.0: 3 records on web-1", counts={"web-1": 3})


class Api:
    """The API with alice's token, its engine and clock; JSON in and out."""

    def __init__(self, http: TestClient, context: Context, clock: FakeClock) -> None:
        self.http = http
        self.context = context
        self.clock = clock
        assert isinstance(context.engine, FakeEngine)
        self.engine = context.engine
        self.headers = {"Authorization": f"Bearer {TOKEN}"}

    def get(self, path: str, status: int = 200) -> Any:
        return self._json(self.http.get(PREFIX + path, headers=self.headers), status)

    def post(self, path: str, body: object = None, status: int = 200) -> Any:
        return self._json(self.http.post(PREFIX + path, json=body, headers=self.headers), status)

    def delete(self, path: str, status: int = 200) -> Any:
        return self._json(self.http.delete(PREFIX + path, headers=self.headers), status)

    def push(
        self, built: BuiltRelease, status: int = 200, archive: bytes | None = None, app: str = "web", why: str = ""
    ) -> Any:
        manifest = built.manifest.read_bytes()
        body = manifest + (built.archive.read_bytes() if archive is None else archive)
        headers = {**self.headers, MANIFEST_BYTES: str(len(manifest))}
        reply = self.http.post(f"{PREFIX}/apps/{app}/releases", content=body, headers=headers, params={"why": why})
        return self._json(reply, status)

    def _json(self, reply: Any, status: int) -> Any:
        assert reply.status_code == status, reply.text
        found = reply.json()
        if status >= 400:
            assert set(found) == {"rule", "text", "next_action"}
            assert found["rule"]
            assert found["text"].endswith((".", ")"))
        return found
