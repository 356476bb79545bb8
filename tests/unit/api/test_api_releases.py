from __future__ import annotations

from pathlib import Path

import pytest

from noonday_coordinator.api.models import MANIFEST_BYTES, PREFIX
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Evidence, LogLine
from support.api_rig import OLD, Api
from support.archives import Shelf


def test_a_push_is_kept_and_agents_can_fetch_it_in_parts(api: Api, shelf: Shelf) -> None:
    built = shelf.build("1.0.0", {"app.py": "x" * 50_000})
    pushed = api.push(built)
    assert (pushed["new"], pushed["digest"]) == (True, built.signed.digest)
    url = api.context.capabilities.url("web", built.signed.ref)
    whole = api.http.get(url)
    assert whole.content == built.archive.read_bytes()
    part = api.http.get(url, headers={"Range": "bytes=10-"})
    assert (part.status_code, part.content) == (206, whole.content[10:])
    assert part.headers["Content-Range"] == f"bytes 10-{len(whole.content) - 1}/{len(whole.content)}"
    assert api.http.get(url, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416
    assert api.http.get(f"{url}.manifest").content == built.manifest.read_bytes()
    assert api.http.head(url).headers["Content-Length"] == str(len(whole.content))


def test_an_artifact_is_not_given_to_who_guesses(api: Api, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    api.push(built)
    base, capability, name = api.context.capabilities.url("web", built.signed.ref).rsplit("/", 2)
    for wrong in (f"{base}/{'0' * 64}/{name}", f"{base}/{capability}/web-2.0.0-00000000.tar.gz", f"{base}/x/..%2Fy"):
        assert api.http.get(wrong).status_code == 404


def test_releases_are_listed_newest_first_with_where_they_are_live(api: Api, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    api.push(built)
    api.clock.move(10)
    api.push(shelf.build("1.1.0"))
    api.engine.serve("web-1", "web", built.signed.ref)
    newest, oldest = api.get("/apps/web/releases")["releases"]
    assert (newest["version"], newest["hosts"], newest["pushed_by"]) == ("1.1.0", [], "alice")
    assert (oldest["hosts"], oldest["manifest"]["health"]) == (["web-1"], "/health")
    assert api.get("/apps/web/releases/1.0.0") == oldest


def test_a_push_with_a_reason_is_kept_with_it(api: Api, shelf: Shelf) -> None:
    pushed = api.push(shelf.build("1.0.0"), why="build 4711")
    assert pushed["words"].endswith(" was pushed: build 4711.")
    assert api.get("/apps/web/releases/1.0.0")["why"] == "build 4711"
    (told,) = (one for one in api.get("/history")["events"] if one["kind"] == "release-pushed")
    assert (told["words"], told["by"]) == (pushed["words"], "alice")
    assert api.push(shelf.build("1.1.0"), 400, why="x" * 1001)["rule"]


def test_pushing_the_same_again_is_no_news(api: Api, shelf: Shelf) -> None:
    built = shelf.build("1.0.0")
    api.push(built)
    again = api.push(built)
    assert not again["new"]
    assert "pushed before" in again["words"]
    with_reason = api.push(built, why="build 4711")
    assert not with_reason["new"]
    assert with_reason["words"].endswith(" was pushed: build 4711.")
    assert api.get("/apps/web/releases/1.0.0")["why"] == "build 4711"


def test_the_same_version_with_other_content_is_refused_also_when_the_archives_were_lost(
    api: Api, shelf: Shelf
) -> None:
    api.push(shelf.build("1.0.0"))
    other = shelf.build("1.0.0", {"app.py": "other"})
    assert api.push(other, 409)["rule"] == "same-version-other-content"
    for path in (api.context.config.data_dir / "artifacts" / "web").iterdir():
        path.unlink()
    assert api.push(other, 409)["rule"] == "same-version-other-content"


def test_a_push_that_is_wrong_is_refused_and_leaves_nothing(api: Api, shelf: Shelf, tmp_path: Path) -> None:
    built = shelf.build("1.0.0")
    archive = built.archive.read_bytes()
    foreign = Shelf(tmp_path / "foreign", SigningKey.new()).build("1.0.0")
    assert api.push(foreign, 400)["rule"] == "bad-signature"
    assert api.push(built, 400, archive[:-1])["rule"] == "size-mismatch"
    assert api.push(built, 400, archive + b"x")["rule"] == "size-mismatch"
    assert api.push(built, 400, bytes(len(archive)))["rule"] == "digest-mismatch"
    assert api.push(built, 400, app="api")["rule"] == "wrong-app"
    assert api.engine.state.app("web").releases == {}
    assert [path for path in (api.context.config.data_dir / "artifacts").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("length", ["0", "-1", "x", "99999999", None])
def test_a_push_without_a_manifest_is_refused(api: Api, length: str | None) -> None:
    headers = {**api.headers, **({MANIFEST_BYTES: length} if length is not None else {})}
    reply = api.http.post(f"{PREFIX}/apps/web/releases", content=b"xyz", headers=headers)
    assert reply.status_code == 400
    assert MANIFEST_BYTES.lower() in reply.json()["text"].lower()


def line(seq: int, text: str, host: str = "web-1") -> Evidence:
    return Evidence(
        host=host, app="web", boot=1, epoch=1, seq=seq, release=OLD.id, since=1.0, sent_at=2.0,
        lines=(LogLine(at=2.0, text=text),),
    )  # fmt: skip


def test_logs_come_once_and_asking_keeps_the_hosts_sending(fleet: Api) -> None:
    now = fleet.clock.now()
    assert fleet.get("/apps/web/logs") == {"app": "web", "lines": [], "last": 0, "new_with": ""}
    assert fleet.engine.state.app("web").watch_until == now + 30
    fleet.context.lines.add(line(1, "one"))
    fleet.context.lines.add(line(1, "two", "web-2"))
    fleet.clock.move(10)
    found = fleet.get("/apps/web/logs")
    assert fleet.engine.state.app("web").watch_until == now + 30
    assert [(one["host"], one["text"], one["release"]) for one in found["lines"]] == [
        ("web-1", "one", OLD.id),
        ("web-2", "two", OLD.id),
    ]
    fleet.clock.move(6)
    assert fleet.get(f"/apps/web/logs?after={found['last']}")["lines"] == []
    assert fleet.engine.state.app("web").watch_until == now + 46
    assert [one["text"] for one in fleet.get("/apps/web/logs?host=web-2")["lines"]] == ["two"]


def test_findings_of_an_app_without_a_rollout_are_none(fleet: Api) -> None:
    found = fleet.get("/apps/web/findings")
    assert (found["rollout"], found["findings"]) == ("", [])


def test_only_so_many_archives_stay_on_disk_and_one_that_went_can_be_pushed_again(api: Api, shelf: Shelf) -> None:
    assert api.context.config.keep_releases == 20
    folder = api.context.config.data_dir / "artifacts" / "web"
    built = [shelf.build(f"1.{number}.0") for number in range(22)]
    for one in built:
        api.clock.move(1)
        api.push(one)
    assert len(list(folder.glob("*.tar.gz"))) == 20
    assert not (folder / built[0].archive.name).exists()
    listed = {one["version"]: one["pruned"] for one in api.get("/apps/web/releases")["releases"]}
    assert [version for version, gone in listed.items() if gone] == ["1.1.0", "1.0.0"]
    api.clock.move(1)
    again = api.push(built[0])
    assert again["new"]
    assert "The archive of web 1.2.0" in again["words"]
    assert not api.get("/apps/web/releases/1.0.0")["pruned"]
    url = api.context.capabilities.url("web", built[0].signed.ref)
    assert api.http.get(url).content == built[0].archive.read_bytes()
