"""Archives: the same bytes every time, and nothing in them that could leave the release or fill the disk."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noonday_shared.errors import BadInput
from noonday_shared.keys import SigningKey
from noonday_shared.release.archive import build_archive
from noonday_shared.release.extract import check_archive, safe_extract
from noonday_shared.release.signed import check_release, digest_of, open_manifest
from support.archives import Member, make_archive, make_folder, make_raw_archive, release_toml, sign_archive

KEY = SigningKey(b"k" * 32)
OTHER_KEY = SigningKey(b"o" * 32)
LIMIT = 1 << 20

SYM, LNK, DIR = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE

HOSTILE: dict[str, tuple[str, list[Member]]] = {
    "an absolute path": ("absolute-path", [Member("/etc/cron.d/evil")]),
    "a parent in the path": ("parent-path", [Member("../evil")]),
    "a parent in the middle": ("parent-path", [Member("a/../../evil")]),
    "an absolute symlink": ("absolute-link", [Member("etc", type=SYM, link="/etc")]),
    "an empty symlink": ("absolute-link", [Member("nothing", type=SYM)]),
    "a symlink above the release": ("escaping-link", [Member("a/up", type=SYM, link="../../evil")]),
    "a symlink through another symlink": (
        "escaping-link",
        [
            Member("deep/er", type=DIR, mode=0o755),
            Member("short", type=SYM, link="deep/er"),
            Member("deep/er/top", type=SYM, link=".."),
            Member("out", type=SYM, link="short/top/../../evil"),
        ],
    ),
    "a symlink through a later symlink": (
        "escaping-link",
        [Member("x", type=SYM, link="a/b/../../evil"), Member("a/b", type=SYM, link="..")],
    ),
    "a symlink through one that goes nowhere": (
        "escaping-link",
        [Member("here", type=SYM, link="."), Member("out", type=SYM, link="here/../evil")],
    ),
    "symlinks in a circle": ("escaping-link", [Member("a", type=SYM, link="b/x"), Member("b", type=SYM, link="a/x")]),
    "a file written through a symlink": (
        "under-a-link",
        [Member("lib", type=SYM, link="code"), Member("lib/evil.py")],
    ),
    "a file below a file": ("under-a-link", [Member("lib"), Member("lib/evil.py")]),
    "an absolute hard link": ("absolute-link", [Member("shadow", type=LNK, link="/etc/shadow")]),
    "a hard link above the release": ("escaping-link", [Member("shadow", type=LNK, link="../../etc/shadow")]),
    "a hard link to what comes later": ("escaping-link", [Member("a", type=LNK, link="b"), Member("b")]),
    "a hard link to a symlink": (
        "escaping-link",
        [Member("a", type=SYM, link="release.toml"), Member("b", type=LNK, link="a")],
    ),
    "a character device": ("special-file", [Member("null", type=tarfile.CHRTYPE)]),
    "a block device": ("special-file", [Member("sda", type=tarfile.BLKTYPE)]),
    "a fifo": ("special-file", [Member("pipe", type=tarfile.FIFOTYPE)]),
    "setuid": ("setuid", [Member("su", mode=0o4755)]),
    "setgid": ("setuid", [Member("sg", mode=0o2755)]),
    "a sticky folder": ("setuid", [Member("tmp", type=DIR, mode=0o1777)]),
    "the same name twice": ("duplicate-name", [Member("a", b"1"), Member("a", b"2")]),
    "the same name spelt twice": ("duplicate-name", [Member("d/a", b"1"), Member("./d//a", b"2")]),
    "a newline in a name": ("bad-name", [Member("a\nb")]),
    "a newline in a link": ("bad-name", [Member("a", type=SYM, link="b\nc")]),
    "a name that is not UTF-8": ("bad-name", [Member("caf\udce9")]),
    "a very long name": ("name-too-long", [Member("a/" * 2100 + "b")]),
    "a very long part of a name": ("name-too-long", [Member("a" * 256)]),
    "more bytes than allowed": ("too-large", [Member("big", b"\0" * (LIMIT + 1))]),
    "more bytes than allowed in pieces": ("too-large", [Member(f"b{i}", b"\0" * (LIMIT // 4)) for i in range(5)]),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_by_name_and_rule(case: str, tmp_path: Path) -> None:
    rule, members = HOSTILE[case]
    archive = make_archive(tmp_path / "hostile.tar.gz", [release_toml(), *members])
    with pytest.raises(BadInput) as refused:
        check_archive(archive, limit=LIMIT)
    assert refused.value.rule == rule
    assert refused.value.next_action
    with pytest.raises(BadInput):
        safe_extract(archive, tmp_path / "target", limit=LIMIT)
    assert not (tmp_path / "target").exists(), "nothing is unpacked before everything is checked"


@pytest.mark.parametrize("case", HOSTILE)
def test_our_own_rules_do_not_lean_on_pythons_filter(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noonday_shared.release.members._data_filter", None)
    rule, members = HOSTILE[case]
    with pytest.raises(BadInput) as refused:
        check_archive(make_archive(tmp_path / "hostile.tar.gz", [release_toml(), *members]), limit=LIMIT)
    assert refused.value.rule == rule


def test_links_that_stay_inside_are_unpacked_as_they_are(tmp_path: Path) -> None:
    archive = make_archive(
        tmp_path / "fine.tar.gz",
        [
            Member("./", type=DIR, mode=0o755),
            release_toml(),
            Member("bin/run", b"#!/bin/sh\n", mode=0o775),
            Member("run", type=SYM, link="bin/run"),
            Member("lib/current", type=SYM, link="../lib/v1"),
            Member("lib/v1/code.py", b"code"),
            Member("through", type=SYM, link="lib/current/../v1/code.py"),
            Member("bin/same", type=LNK, link="bin/run"),
        ],
    )
    contents = safe_extract(archive, tmp_path / "target", limit=LIMIT)
    target = tmp_path / "target"
    assert (target / "through").read_bytes() == b"code"
    assert (target / "run").readlink() == Path("bin/run")
    assert (target / "bin/same").read_bytes() == b"#!/bin/sh\n"
    assert (target / "bin/run").stat().st_mode & 0o7777 == 0o755
    assert contents.manifest.app == "web"


def test_unpacked_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a.tar.gz", [release_toml(), Member("d/file", b"x", mode=0o600)])
    before = os.umask(0o077)
    try:
        safe_extract(archive, tmp_path / "target", limit=LIMIT)
    finally:
        os.umask(before)
    modes = [(tmp_path / "target" / name).stat().st_mode & 0o7777 for name in ("", "d", "d/file")]
    assert modes == [0o755, 0o755, 0o644]


@pytest.mark.parametrize(
    "members",
    [
        [Member("app.py")],
        [Member("release.toml", type=SYM, link="app.py"), Member("app.py")],
        [Member("release.toml", type=DIR, mode=0o755)],
        [Member("release.toml", b"\xff\xfe")],
        [Member("release.toml", b"#" * (1 << 17))],
    ],
    ids=["missing", "a link", "a folder", "not UTF-8", "too large"],
)
def test_an_archive_without_a_regular_release_toml_is_refused(members: list[Member], tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        check_archive(make_archive(tmp_path / "a.tar.gz", members), limit=LIMIT)
    assert refused.value.rule == "no-release-toml"


def test_a_sparse_file_that_claims_bytes_it_has_not_is_refused(tmp_path: Path) -> None:
    info = Member("hole").info()
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,0"}
    info.pax_headers["GNU.sparse.numblocks"] = "1"
    raw = info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)
    with pytest.raises(BadInput) as refused:
        check_archive(make_raw_archive(tmp_path / "a.tar.gz", raw), limit=LIMIT)
    assert refused.value.rule == "sparse-file"


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    info = Member("././@LongLink", b"x" * (3 << 20), type=tarfile.GNUTYPE_LONGNAME).info()
    raw = info.tobuf(tarfile.GNU_FORMAT) + b"x" * (3 << 20) + bytes(1024)
    with pytest.raises(BadInput) as refused:
        check_archive(make_raw_archive(tmp_path / "a.tar.gz", raw), limit=LIMIT)
    assert refused.value.rule == "too-large"


def test_an_archive_with_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noonday_shared.release.members.MOST_MEMBERS", 10)
    archive = make_archive(tmp_path / "a.tar.gz", [release_toml(), *(Member(f"f{i}") for i in range(10))])
    with pytest.raises(BadInput) as refused:
        check_archive(archive, limit=LIMIT)
    assert refused.value.rule == "too-many-members"


@pytest.mark.parametrize("cut", [10, 200, -9])
def test_half_an_archive_is_refused(cut: int, tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a.tar.gz", [release_toml(), Member("data", os.urandom(5000))])
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(BadInput) as refused:
        safe_extract(archive, tmp_path / "target", limit=LIMIT)
    assert refused.value.rule == "not-an-archive"


def test_what_is_not_an_archive_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"<html>Not found</html>")
    with pytest.raises(BadInput) as refused:
        check_archive(tmp_path / "a.tar.gz", limit=LIMIT)
    assert refused.value.rule == "not-an-archive"


@pytest.mark.parametrize(
    ("toml", "rule"),
    [
        ('[hooks]\npre_activate = "hooks/gone"\n', "hook-missing"),
        ('[hooks]\npost_return = "plain"\n', "hook-not-executable"),
        ('shared = ["media", "media/tmp"]\n', "shared-overlap"),
        ('shared = ["link/media"]\n', "under-a-link"),
    ],
)
def test_what_release_toml_names_must_fit_the_archive(toml: str, rule: str, tmp_path: Path) -> None:
    members = [release_toml(extra=toml), Member("plain"), Member("link", type=SYM, link="data"), Member("data/x")]
    with pytest.raises(BadInput) as refused:
        check_archive(make_archive(tmp_path / "a.tar.gz", members), limit=LIMIT)
    assert refused.value.rule == rule


NAMES = st.from_regex(r"[a-z]{1,3}(\.py)?", fullmatch=True).filter(lambda name: name != "release.toml")
FILES = st.dictionaries(st.tuples(NAMES, NAMES).map(lambda two: f"d{two[0]}/{two[1]}"), st.binary(max_size=60))


@given(files=FILES)
@settings(max_examples=20, deadline=None)
def test_the_same_files_give_the_same_bytes_whatever_their_order_modes_and_times(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as temp:
        top = Path(temp)
        here, there = make_folder(top / "here", files), top / "there"
        before = os.umask(0o077)
        try:
            make_folder(there, dict(reversed(files.items())))
        finally:
            os.umask(before)
        for path in there.rglob("*"):
            os.utime(path, (1, 1))
        one = build_archive(here, version="1.0.0", out_dir=top / "one", key=KEY)
        two = build_archive(there, version="1.0.0", out_dir=top / "two", key=OTHER_KEY)
        assert one.archive.read_bytes() == two.archive.read_bytes()
        assert one.archive.name == two.archive.name
        safe_extract(one.archive, top / "back", limit=LIMIT)
        assert {name: (top / "back" / name).read_bytes() for name in files} == files


def test_the_archive_carries_version_names_and_nobodys_identity(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "web", {"bin/run": "x", "data.txt": "y"})
    (folder / "bin/run").chmod(0o700)
    built = build_archive(folder, version="1.2.0", out_dir=tmp_path / "out", key=KEY)
    assert built.archive.name == f"web-1.2.0-{built.signed.digest[:8]}.tar.gz"
    assert built.manifest.name == built.archive.name + ".manifest"
    with tarfile.open(built.archive) as tar:
        members = {member.name: member for member in tar}
        text = tar.extractfile("release.toml")
        assert text is not None
        assert text.read().startswith(b'version = "1.2.0"\n')
    assert list(members) == sorted(members)
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members.values()} == {(0, 0, "", "")}
    assert [members[name].mode for name in ("bin/run", "data.txt")] == [0o755, 0o644]
    assert built.archive.read_bytes()[4:8] == bytes(4), "no time in the gzip header"


def test_ignored_files_and_the_tools_own_folders_stay_out(tmp_path: Path) -> None:
    folder = make_folder(
        tmp_path / "web",
        {
            ".noondayignore": "# comment\n*.log\n/tmp/*.dat\nnode_modules/\nrelease.toml\n",
            "app.py": "",
            "deep/a.log": "",
            "tmp/x.dat": "",
            "deep/tmp/x.dat": "",
            "node_modules/m/index.js": "",
            ".git/config": "",
            "deep/__pycache__/a.pyc": "",
            "dist/web-0.9.tar.gz": "",
        },
    )
    built = build_archive(folder, version="1", out_dir=folder / "dist", key=KEY)
    with tarfile.open(built.archive) as tar:
        names = [member.name for member in tar if member.isreg()]
    assert names == ["app.py", "deep/tmp/x.dat", "release.toml"]
    assert build_archive(folder, version="1", out_dir=folder / "dist", key=KEY).signed == built.signed


@pytest.mark.parametrize(
    ("toml", "version", "rule", "word"),
    [
        ('version = "1.0"\napp = "web"\n', "2.0", "other-version", "--version 1.0"),
        ('app = "web"\nhelth = "/"\n', "1.0", "bad-input", "health"),
        ("app = web\n", "1.0", "bad-input", "TOML"),
        ('app = "web"\n', "1.0 beta", "bad-input", "version"),
        ('app = "web"\n', 'x"\nevil = "1', "bad-input", "evil"),
    ],
)
def test_a_folder_that_makes_no_release_is_refused(
    toml: str, version: str, rule: str, word: str, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "web", {}, toml)
    with pytest.raises(BadInput) as refused:
        build_archive(folder, version=version, out_dir=tmp_path / "out", key=KEY)
    assert refused.value.rule == rule
    assert word in str(refused.value)
    assert not list(tmp_path.glob("out/*"))


def test_a_folder_without_release_toml_is_told_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        build_archive(tmp_path, version="1", out_dir=tmp_path / "out", key=KEY)
    assert refused.value.rule == "no-release-toml"
    assert 'app = "web"\nhealth = "/health"' in refused.value.next_action


def test_a_release_with_a_fifo_or_an_escaping_link_is_not_built(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "web", {})
    os.mkfifo(folder / "pipe")
    with pytest.raises(BadInput, match="special-file"):
        build_archive(folder, version="1", out_dir=tmp_path / "out", key=KEY)
    (folder / "pipe").unlink()
    (folder / "link").symlink_to("../secret")
    with pytest.raises(BadInput, match="escaping-link"):
        build_archive(folder, version="1", out_dir=tmp_path / "out", key=KEY)
    assert not list((tmp_path / "out").iterdir()), "no draft is left"


def test_archives_are_not_written_into_the_release_itself(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "web", {})
    with pytest.raises(BadInput, match="dist"):
        build_archive(folder, version="1", out_dir=folder, key=KEY)


def test_only_a_pinned_key_opens_the_manifest(tmp_path: Path) -> None:
    built = build_archive(make_folder(tmp_path / "web", {}), version="1", out_dir=tmp_path / "out", key=KEY)
    raw = built.manifest.read_bytes()
    assert open_manifest(raw, [OTHER_KEY.public, KEY.public]) == built.signed
    for bad, keys in ((raw, [OTHER_KEY.public]), (raw.replace(b"web", b"wob"), [KEY.public]), (raw, [])):
        with pytest.raises(BadInput) as refused:
            open_manifest(bad, keys)
        assert refused.value.rule == "bad-signature"


def test_a_push_is_held_against_what_was_signed(tmp_path: Path) -> None:
    built = build_archive(make_folder(tmp_path / "web", {"a": "b"}), version="1", out_dir=tmp_path / "out", key=KEY)
    check_release(built.archive, built.signed, limit=LIMIT)
    assert digest_of(built.archive) == built.signed.digest
    with pytest.raises(BadInput, match="holds another"):
        check_release(built.archive, built.signed.model_copy(update={"version": "2"}), limit=LIMIT)
    with built.archive.open("ab") as file:
        file.write(b"more")
    with pytest.raises(BadInput) as refused:
        check_release(built.archive, built.signed, limit=LIMIT)
    assert refused.value.rule == "digest-mismatch"


def test_a_hostile_archive_is_refused_at_the_push_although_signed(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a.tar.gz", [release_toml(), Member("../evil")])
    with pytest.raises(BadInput) as refused:
        check_release(archive, sign_archive(archive, KEY), limit=LIMIT)
    assert refused.value.rule == "parent-path"
