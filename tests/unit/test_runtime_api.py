from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from noonday_agent.balancers import runtime
from noonday_agent.balancers.runtime import Runtime
from noonday_shared.errors import Permanent, Temporary


@contextmanager
def _answering(path: Path, answer: bytes, *, close: bool = True) -> Iterator[None]:
    """One connection: takes one line, answers, and closes unless it is to hang."""
    done = threading.Event()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            link, _ = server.accept()
            with link, suppress(OSError):
                link.recv(1000)
                link.sendall(answer)
                if not close:
                    done.wait(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        done.set()
        thread.join(10)


def _ask(path: Path, within: float = 5.0) -> str:
    return Runtime(str(path), "haproxy web/web-1").ask("show info", deadline=time.monotonic() + within)


def test_an_answer_ends_when_the_connection_does(tmp_path: Path) -> None:
    with _answering(tmp_path / "s", b"Pid: 1\n\n"):
        assert _ask(tmp_path / "s") == "Pid: 1\n\n"


def test_an_answer_that_does_not_end_is_temporary(tmp_path: Path) -> None:
    with (
        _answering(tmp_path / "s", b"Pid:", close=False),
        pytest.raises(Temporary, match=r"haproxy web/web-1: .*did not answer in time"),
    ):
        _ask(tmp_path / "s", within=0.1)


def test_an_answer_without_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "MAX_ANSWER", 1000)
    with (
        _answering(tmp_path / "s", b"x" * 100_000),
        pytest.raises(Permanent, match="that is no runtime API"),
    ):
        _ask(tmp_path / "s")


def test_a_deadline_that_has_passed_is_temporary_and_asks_nothing(tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="did not answer in time"):
        _ask(tmp_path / "nothing", within=-1)


def test_a_socket_that_is_not_ours_to_open_is_permanent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Runtime, "_connect", refused)
    with pytest.raises(Permanent, match="may not open"):
        _ask(tmp_path / "s")
