"""The `noonday` command inside the test's process, against canned answers."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from noonday_coordinator.cli.main import main
from noonday_coordinator.cli.session import Seams
from support.fake_api import NOW, TOKEN, FakeApi
from support.fake_clock import FakeClock

GONE = httpx.ConnectError("[Errno 111] Connection refused")
DEPLOY = ("deploy", "web", "1.1.0", "--yes")


@pytest.fixture
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user who runs the tests: no token, no URL, no terminal's width."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NOONDAY_TOKEN", TOKEN)
    monkeypatch.delenv("NOONDAY_URL", raising=False)
    monkeypatch.delenv("NOONDAY_RELEASE_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def noonday(
    api: FakeApi, *args: str, terminal: bool = False, clock: FakeClock | None = None, answer: str = ""
) -> Result:
    """Type the command. `terminal`: a person watches; `answer`: what they type."""
    seams = Seams(api.transport(), clock or FakeClock(NOW), terminal)
    return CliRunner().invoke(main, args, obj=seams, input=answer)


def said(result: Result) -> str:
    return f"{result.exit_code}\n{result.stdout}\n{result.stderr}\n{result.exception!r}"
