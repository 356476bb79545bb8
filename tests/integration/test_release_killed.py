"""An agent killed at any point of its work with releases: it goes on, and nothing half-done is left or believed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from noonday_agent.releases.store import ReleaseStore
from noonday_shared.clock import SystemClock
from noonday_shared.keys import SigningKey
from noonday_shared.release.archive import BuiltRelease
from support.archives import TOML, Shelf

KEY = SigningKey(b"k" * 32)
FILES: dict[str, str | bytes] = {f"file-{number}": os.urandom(2000) for number in range(200)}
VICTIM = Path(__file__).parents[1] / "support" / "release_victim.py"


class Agent:
    def __init__(self, top: Path) -> None:
        self.shelf = Shelf(top / "shelf", KEY)
        self.root, self.downloads = top / "web", top / "downloads"
        self.store = ReleaseStore(
            self.root,
            keys=[KEY.public],
            downloads_dir=self.downloads,
            keep=2,
            max_unpacked=1 << 24,
            clock=SystemClock(),
        )

    def killed_at(self, point: str, built: BuiltRelease) -> None:
        """Do the work in another process, which is killed at `point`."""
        ref = built.signed.ref
        where = [str(self.root), str(self.downloads), str(built.archive), ref.version, ref.digest]
        command = [sys.executable, str(VICTIM), *where, str(KEY.public), point]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr

    def prepare(self, built: BuiltRelease) -> str:
        self.store.prepare("web", built.signed.ref, str(built.archive), within=30)
        return built.signed.ref.id

    def names(self) -> set[str]:
        return {path.name for path in (self.root / "releases").iterdir()}


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


@pytest.mark.parametrize("point", ["download", "unpack", "before-manifest", "before-name"])
def test_a_kill_before_the_name_leaves_nothing_prepared_and_the_next_try_no_junk(point: str, agent: Agent) -> None:
    built = agent.shelf.build("1.0.0", FILES, TOML + 'shared = ["media"]\n')
    agent.killed_at(point, built)
    assert agent.store.prepared() == ()
    assert not agent.store.folders.folder(built.signed.ref.id).exists()
    release = agent.prepare(built)
    assert agent.names() == {release, f".{release}.json"}
    assert list(agent.downloads.iterdir()) == []
    folder = agent.store.folders.folder(release)
    assert all((folder / name).read_bytes() == data for name, data in FILES.items())
    assert [path.name for path in (agent.root / "shared").iterdir()] == ["media"]


def test_a_kill_after_the_name_leaves_a_whole_release(agent: Agent) -> None:
    built = agent.shelf.build("1.0.0", FILES)
    agent.killed_at("after-name", built)
    assert agent.store.prepared() == (built.signed.ref.id,)
    folder = agent.store.folders.folder(built.signed.ref.id)
    assert all((folder / name).read_bytes() == data for name, data in FILES.items())


def test_a_kill_while_unpacking_does_not_fetch_again(agent: Agent) -> None:
    built = agent.shelf.build("1.0.0", FILES)
    agent.killed_at("unpack", built)
    assert [path.name for path in agent.downloads.iterdir()] == [f"{built.signed.digest}.part"]
    built.archive.write_bytes(b"another")
    assert agent.store.prepared() == ()
    assert agent.prepare(built) in agent.store.prepared()


def test_a_kill_while_removing_leaves_no_half_release(agent: Agent) -> None:
    built = [agent.shelf.build(f"1.{minor}.0") for minor in range(5)]
    ids = [agent.prepare(one) for one in built]
    agent.store.switch(ids[4])
    agent.killed_at("prune-before-delete", built[0])
    assert ids[1] not in agent.store.prepared()
    assert set(agent.store.prune()) == {ids[0]}
    assert agent.names() == {name for i in (2, 3, 4) for name in (ids[i], f".{ids[i]}.json")}


@pytest.mark.parametrize(("point", "live"), [("switch-before-replace", 0), ("switch-after-replace", 1)])
def test_a_kill_while_switching_leaves_the_old_one_or_the_new_one_live(point: str, live: int, agent: Agent) -> None:
    built = [agent.shelf.build("1.0.0"), agent.shelf.build("1.1.0")]
    ids = [agent.prepare(one) for one in built]
    agent.store.switch(ids[0])
    agent.killed_at(point, built[1])
    assert agent.store.live().id == ids[live]
    agent.store.switch(ids[1])
    assert agent.store.live().id == ids[1]
    assert {path.name for path in agent.root.iterdir()} == {"releases", "current"}
