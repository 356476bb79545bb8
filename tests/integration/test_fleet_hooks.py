"""Hooks of a release on a real fleet that fail, hang or are gone."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from noonday_coordinator.api import models as m
from support.eventually import eventually
from support.fleet import Fleet

HANGS = """\
#!/bin/sh
sleep 600 &
echo $! > {pids}
(trap '' TERM; sleep 600) &
echo $! >> {pids}
echo now it hangs
wait
"""


def hooks(**names: str) -> str:
    return "[hooks]\n" + "".join(f'{name} = "{file}"\n' for name, file in names.items())


def reverted(end: m.RolloutInfo) -> str:
    assert end.end == "rolled-back", end
    return end.hosts[0].reason + end.reason


def test_a_hook_that_fails_before_the_drain_leaves_every_host_as_it_was(fleet: Fleet) -> None:
    before = [host.web.starts for host in fleet.hosts]
    script = "#!/bin/sh\necho the schema is too old >&2\nexit 3\n"
    version = fleet.push(toml=hooks(pre_activate="hooks/pre"), files={"hooks/pre": script})
    said = reverted(fleet.deploy(version))
    assert "Hook pre_activate (hooks/pre) failed" in said
    assert "the schema is too old" in said
    assert [host.web.starts for host in fleet.hosts] == before
    assert fleet.in_service() == {"web-1", "web-2"}


def test_a_hook_that_fails_after_the_restart_brings_the_previous_release_back(fleet: Fleet) -> None:
    canary = fleet.host("web-1")
    before = canary.web.answers
    version = fleet.push(toml=hooks(post_activate="hooks/post"), files={"hooks/post": "#!/bin/sh\nexit 1\n"})
    with fleet.load() as load:
        said = reverted(fleet.deploy(version))
        load.after(10)
    assert "Hook post_activate (hooks/post) failed" in said
    assert canary.web.starts[-2:] == [version, before]
    assert canary.web.answers == before
    assert load.failures == []


def test_a_hook_that_hangs_is_ended_with_all_that_it_started(fleet: Fleet, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    version = fleet.push(toml=hooks(pre_activate="hooks/pre"), files={"hooks/pre": HANGS.format(pids=pids)})
    said = reverted(fleet.deploy(version))
    assert "had not ended after 2 s and was killed with all that it had started" in said
    assert "now it hangs" in said
    children = [int(word) for word in pids.read_text().split()]
    assert len(children) == 2
    eventually(lambda: not any(map(psutil.pid_exists, children)), what="the end of the hook's children")
    assert fleet.in_service() == {"web-1", "web-2"}


def test_an_abort_ends_a_hook_that_runs_and_takes_effect_within_five_seconds(fleet: Fleet, tmp_path: Path) -> None:
    running, before = tmp_path / "running", [host.web.starts for host in fleet.hosts]
    script = f"#!/bin/sh\ntouch {running}\nexec sleep 600\n"
    version = fleet.push(toml=hooks(pre_activate="hooks/pre"), files={"hooks/pre": script})
    host = fleet.host("web-1")
    with host.edited("hooks = { within = 2.0 }", "hooks = { within = 600.0 }"):
        host.start_agent()
        fleet.all_heard()
        rollout = fleet.begin(version)
        eventually(running.exists, what="the hook")
        asked = time.monotonic()
        fleet.ok("abort", "web")
        end = fleet.until(rollout, lambda info: info.end, what="the end")
        took = time.monotonic() - asked
    print(f"aborted after {took:.2f} s")
    assert (end.end, took < 5.0) == ("aborted", True), (end.reason, took)
    assert [host.web.starts for host in fleet.hosts] == before
    assert fleet.in_service() == {"web-1", "web-2"}


def test_a_hook_that_is_missing_on_a_host_changes_nothing_there(fleet: Fleet) -> None:
    """As when a person tidied up in the release's folder."""
    fleet.policy(gates=["canary"])
    hook = "#!/bin/sh\nexit 0\n"
    version = fleet.push(toml=hooks(pre_activate="hooks/pre"), files={"hooks/pre": hook})
    second = fleet.host("web-2")
    before = second.web.starts
    rollout = fleet.begin(version)
    fleet.until(rollout, lambda info: info.stage == "gate", what="the gate")
    (gone,) = second.web.root.glob(f"releases/{version}-*/hooks/pre")
    gone.unlink()
    fleet.ok("promote", "web")
    end = fleet.ended(rollout)
    assert end.end == "rolled-back", end
    assert "Hook pre_activate can't be run: hooks/pre is not in the release" in end.reason
    assert second.web.starts == before
    assert [host.web.answers == version for host in fleet.hosts] == [False, False]


def test_a_release_that_names_a_hook_it_does_not_hold_is_not_built(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "release.toml").write_text('app = "web"\n' + hooks(pre_activate="hooks/pre"))
    refusal = fleet.refused("release", "build", str(tmp_path), "--version", "9.9.9", "--out", str(tmp_path / "out"))
    assert "hooks/pre" in refusal.text


def test_a_release_toml_with_an_unknown_key_is_not_built(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "release.toml").write_text('app = "web"\n' + hooks(pre_activat="hooks/pre"))
    refusal = fleet.refused("release", "build", str(tmp_path), "--version", "9.9.9", "--out", str(tmp_path / "out"))
    assert "release.toml: unknown key hooks.pre_activat (did you mean 'pre_activate'?)" in refusal.text
