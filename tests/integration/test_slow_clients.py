"""Clients of the API that stop in the middle: of an upload, or of a download."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from noonday_coordinator import service
from noonday_coordinator.api import uploads
from noonday_coordinator.api.context import Context
from noonday_coordinator.api.models import MANIFEST_BYTES, PREFIX, Problem
from noonday_shared.keys import SigningKey
from support.archives import Shelf
from support.eventually import eventually
from support.fake_clock import FakeClock
from support.fake_engine import TOKEN, close_context, make_context
from support.ports import free_port

KEY = SigningKey.new()
LARGE = 24 << 20
"""More than the kernel takes on for a client that does not read."""


@dataclass
class Served:
    context: Context
    port: int

    def links(self) -> int:
        """Connections to clients that are held."""
        held = psutil.Process().net_connections("tcp")
        return sum(1 for one in held if one.laddr.port == self.port and one.raddr)

    def dial(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def drafts(self) -> list[Path]:
        return list((self.context.artifacts.folder / ".drafts").iterdir())


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The API as the coordinator serves it, in whose view a client is gone after two seconds."""
    monkeypatch.setattr(service, "GONE_AFTER", 2)
    context = make_context(tmp_path, FakeClock(), KEY)
    port = free_port()
    http = context.config.http.model_copy(update={"listen": f"127.0.0.1:{port}"})
    server = service._server(context)
    with service._bound(context.config.model_copy(update={"http": http})) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        eventually(lambda: server.started, what="the API")
        yield Served(context, port)
        server.should_exit = True
        thread.join(30)
    close_context(context)


def test_an_upload_that_stops_sending_ends_in_a_sentence_and_leaves_nothing(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PIECE_WITHIN", 0.5)
    built = Shelf(tmp_path / "shelf", KEY).build("1.0.0", {"blob": os.urandom(1 << 20)})
    manifest, archive = built.manifest.read_bytes(), built.archive.read_bytes()
    with closing(served.dial()) as client:
        client.sendall(
            f"POST {PREFIX}/apps/web/releases HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"{MANIFEST_BYTES}: {len(manifest)}\r\nContent-Length: {len(manifest) + len(archive)}\r\n\r\n".encode()
        )
        client.sendall(manifest + archive[: len(archive) // 2])
        eventually(served.drafts, what="a draft")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close" in head.lower(), "else the rest of the body is waited for"
    problem = Problem.model_validate_json(body)
    assert problem.rule == "upload-stalled"
    assert "nothing more of it came for 0.5 s" in problem.text
    assert problem.next_action
    assert not served.drafts()
    eventually(lambda: not served.links(), what="no connection that is held")


def test_a_client_that_stops_reading_its_download_is_hung_up_on(served: Served, tmp_path: Path) -> None:
    built = Shelf(tmp_path / "shelf", KEY).build("1.0.0", {"blob": os.urandom(LARGE)})
    served.context.artifacts.put(built.archive, built.manifest.read_bytes(), [KEY.public])
    path = served.context.capabilities.url("web", built.signed.ref).removeprefix("http://testserver")
    with closing(served.dial()) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 200"
        assert served.links()
        eventually(lambda: not served.links(), what="no connection that is held", within=30)
        came = 0
        with suppress(OSError):
            while piece := client.recv(1 << 20):
                came += len(piece)
    assert came < LARGE
