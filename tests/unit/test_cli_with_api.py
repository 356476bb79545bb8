"""The command against the real API, on a fleet that reports what the test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from starlette.testclient import TestClient

from noonday_coordinator.api.app import make_app
from noonday_coordinator.cli.main import main
from noonday_coordinator.cli.session import Seams
from noonday_coordinator.core import events as e
from noonday_coordinator.core.commands import Push
from noonday_coordinator.core.view import Judgement
from noonday_shared.keys import SigningKey
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest
from support.fake_clock import FakeClock
from support.fake_engine import TOKEN, FakeEngine, close_context, make_context
from support.into_app import IntoApp
from support.noonday_command import own_home, said

__all__ = ["own_home"]
pytestmark = pytest.mark.usefixtures("own_home")

BLAMED = e.Finding(
    key="k1",
    kind="new-error",
    blames=True,
    words="KeyError new with 1.1.0: 31 records on web-1",
    samples=("KeyError: 'x'",),
)


class StepClock(FakeClock):
    """In each pause of the command, the next thing happens in the fleet."""

    def __init__(self) -> None:
        super().__init__()
        self.next: list[Callable[[], object]] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.next:
            self.next.pop(0)()


@dataclass
class Fleet:
    engine: FakeEngine
    transport: IntoApp
    clock: StepClock = field(default_factory=StepClock)

    @property
    def active(self) -> str:
        """Id of the rollout under way."""
        return self.engine.state.app("web").active

    def noonday(self, *args: str) -> Result:
        return CliRunner().invoke(main, args, obj=Seams(self.transport, self.clock), env={"NOONDAY_TOKEN": TOKEN})


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Three servers on 1.0.0, and 1.1.0 pushed."""
    clock = StepClock()
    context = make_context(tmp_path, clock, SigningKey.new())
    engine = context.engine
    assert isinstance(engine, FakeEngine)
    old = engine.push("1.0.0")
    for host in ("web-1", "web-2", "web-3"):
        engine.serve(host, "web", old)
    engine.push("1.1.0")
    with TestClient(make_app(context)) as client:
        yield Fleet(engine, IntoApp(client), clock)
    close_context(context)


def test_a_rollout_is_followed_to_its_question_and_on_to_its_end(fleet: Fleet) -> None:
    keep = fleet.engine.keep
    fleet.clock.next = [
        lambda: keep(e.HostJudged(fleet.active, "web-1", "prepared")),
        lambda: keep(e.Asked(fleet.active, "12 requests only. Promote?")),
    ]
    asked = fleet.noonday("deploy", "web", "1.1.0", "--yes")
    assert asked.exit_code == 5, said(asked)
    assert "web-1 is prepared." in asked.stdout
    assert "12 requests only. Promote?" in asked.stdout
    status = fleet.noonday("status")
    assert "web asks: 12 requests only. Promote?" in status.stdout

    rollout = fleet.active
    promoted = fleet.noonday("promote", "web")
    assert promoted.exit_code == 0, said(promoted)
    fleet.clock.next = [
        lambda: keep(e.VerdictReached(rollout, "roll back", "one new error", 400, (BLAMED,))),
        lambda: keep(e.RolloutEnded(rollout, e.End.ROLLED_BACK, "one new error")),
    ]
    ended = fleet.noonday("show", rollout, "--follow")
    assert ended.exit_code == 3, said(ended)
    assert "Against the release:\n  KeyError new with 1.1.0: 31 records on web-1\n    | KeyError: 'x'" in ended.stdout
    for what in ("web", rollout):
        assert "KeyError new with 1.1.0" in fleet.noonday("findings", what).stdout
    again = fleet.noonday("deploy", "web", "1.1.0", "--yes")
    assert again.exit_code == 2
    assert "noonday release unblock web 1.1.0" in again.stderr
    assert fleet.noonday("release", "unblock", "web", "1.1.0", "--why", "mended").exit_code == 0


def test_a_running_rollout_shows_requests_and_findings(fleet: Fleet) -> None:
    started = fleet.noonday("deploy", "web", "1.1.0", "--yes", "--no-wait", "--json")
    rollout = json.loads(started.stdout.splitlines()[-1])["started"]["rollout"]
    fleet.engine.judge(rollout, Judgement("hold", "one new error, seen once", 42, 90, (BLAMED,)))
    shown = fleet.noonday("show", rollout)
    assert "42/200 requests (old release: 90)" in shown.stdout
    assert "KeyError new with 1.1.0" in shown.stdout
    fleet.engine.push("1.2.0")
    second = fleet.noonday("deploy", "web", "1.2.0", "--yes")
    assert second.exit_code == 2
    assert rollout in second.stderr


def test_the_same_version_again_is_nothing_to_do(fleet: Fleet) -> None:
    result = fleet.noonday("deploy", "web", "1.0.0", "--yes")
    assert result.exit_code == 0, said(result)
    assert "Nothing to do" in result.stdout


def test_a_paused_rollout_goes_back_when_asked(fleet: Fleet) -> None:
    fleet.noonday("deploy", "web", "1.1.0", "--yes", "--no-wait")
    rollout = fleet.active
    assert fleet.noonday("pause", "web").exit_code == 0
    assert "noonday resume web" in fleet.noonday("show", rollout).stdout
    assert fleet.noonday("resume", "web").exit_code == 0
    fleet.clock.next = [lambda: fleet.engine.keep(e.RolloutEnded(rollout, e.End.ROLLED_BACK, "a person said so"))]
    back = fleet.noonday("rollback", "web", "--yes", "--why", "slow")
    assert back.exit_code == 0, said(back)
    assert "slow" in fleet.noonday("history", "web").stdout


def test_why_a_release_was_pushed_is_shown_with_it(fleet: Fleet) -> None:
    manifest = ReleaseManifest(app="web", version="1.2.0")
    ref = ReleaseRef(version="1.2.0", digest="e" * 64)
    fleet.engine.submit(Push("web", ref, 1000, manifest, why="build 4711"), "alice")
    for args in (("list", "web"), ("show", "web", "1.2.0")):
        shown = fleet.noonday("release", *args)
        assert "build 4711" in shown.stdout, said(shown)
    assert "was pushed: build 4711." in fleet.noonday("history", "web").stdout
