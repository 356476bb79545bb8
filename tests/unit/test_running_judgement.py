from __future__ import annotations

import pytest

from noonday_agent.probes.proof import Proc, Proof, VersionAnswer, confirm, judge

ROOT = "/srv/web/releases"
NEW, OLD = f"{ROOT}/1.1.0-bbbbbbbb", f"{ROOT}/1.0.0-aaaaaaaa"
PYTHON = "/usr/bin/python3.11"


def proc(
    pid: int = 10,
    *code: str,
    started: float = 50.0,
    files: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
    readable: bool = True,
) -> Proc:
    return Proc(pid, started, "app", code, files, words, readable)


AT_HOME = proc(10, NEW, PYTHON)
PLAIN = proc(11, "/", PYTHON)

TREES: list[tuple[str, tuple[Proc, ...], bool | None, str]] = [
    ("nothing runs", (), False, "No process of the app runs."),
    ("working folder is the release", (AT_HOME,), True, "pid 10 (app) runs from 1.1.0-bbbbbbbb."),
    ("executable is in the release", (proc(10, "/", f"{NEW}/bin/shop"),), True, "runs from 1.1.0"),
    ("a library of the release is mapped", (proc(10, "/", PYTHON, f"{NEW}/lib/x.so"),), True, "runs from 1.1.0"),
    ("an open file of the release, nothing else", (proc(10, "/", PYTHON, files=(f"{NEW}/app.sh",)),), True, "1.1.0"),
    ("a wrapper elsewhere, the app at home", (PLAIN, AT_HOME), True, "pid 10"),
    ("master and workers at home", (AT_HOME, proc(12, NEW), proc(13, NEW)), True, "pid 10 (app) and 2 more run from"),
    ("nothing shows", (PLAIN,), None, "Nothing shows"),
    ("a folder below the root of releases only", (proc(10, ROOT, PYTHON),), None, "Nothing shows"),
    ("a folder whose name starts alike", (proc(10, f"{NEW}-copy"),), False, "1.1.0-bbbbbbbb-copy"),
    ("a root whose name starts alike", (proc(10, f"{ROOT}-old/1.1.0-bbbbbbbb"),), None, "Nothing shows"),
    ("we may not look", (proc(10, readable=False),), None, "may not see"),
    ("we may not look at one of two", (AT_HOME, proc(12, readable=False)), True, "pid 10"),
    ("working folder is the old release", (proc(10, OLD, PYTHON),), False, "from 1.0.0-aaaaaaaa, not from 1.1.0"),
    ("one worker in the old release", (AT_HOME, proc(12, OLD)), False, "pid 12 (app) runs from 1.0.0-aaaaaaaa"),
    ("old executable, new working folder", (proc(10, NEW, f"{OLD}/bin/shop"),), False, "1.0.0"),
    ("old working folder that was deleted", (proc(10, f"{OLD} (deleted)"),), False, "a deleted copy of 1.0.0"),
    ("a file below a deleted folder", (proc(10, f"{OLD}/bin/shop (deleted)"),), False, "a deleted copy of 1.0.0"),
    ("the release itself was deleted and made again", (proc(10, f"{NEW} (deleted)"),), False, "a deleted copy of 1.1"),
    ("an upgraded interpreter", (proc(10, NEW, f"{PYTHON} (deleted)"),), True, "1.1.0"),
    ("a command line that names the old release", (proc(10, NEW, words=(f"{OLD}/app.py",)),), False, "1.0.0"),
    ("a command line that names the release", (proc(10, "/", words=(f"{NEW}/app.py",)),), None, "Nothing shows"),
    ("old data held open by the new code", (proc(10, NEW, files=(f"{OLD}/cache.db",)),), True, "1.1.0"),
    ("only an old file held open", (proc(10, "/", files=(f"{OLD}/app.sh",)),), False, "1.0.0"),
    ("a deleted file held open tells nothing", (proc(10, "/", files=(f"{NEW}/x (deleted)",)),), None, "Nothing shows"),
]


@pytest.mark.parametrize(("tree", "ok", "reason"), [case[1:] for case in TREES], ids=[case[0] for case in TREES])
def test_where_the_processes_run_from_decides(tree: tuple[Proc, ...], ok: bool | None, reason: str) -> None:
    proof = judge(tree, release_dir=NEW, releases_root=ROOT)
    assert (proof.ok, reason in proof.reason) == (ok, True), proof


def test_a_process_that_was_seen_before_the_restart_disproves_all() -> None:
    tree = (AT_HOME, proc(12, NEW, started=7.25))
    proof = judge(tree, release_dir=NEW, releases_root=ROOT, not_before=frozenset({(12, 7.25)}))
    assert proof == Proof(False, "pid 12 (app) ran before the restart already.", (12,))


def test_a_pid_that_was_given_again_is_another_process() -> None:
    proof = judge((AT_HOME,), release_dir=NEW, releases_root=ROOT, not_before=frozenset({(10, 49.99)}))
    assert proof.ok


def test_an_old_process_that_still_answers_on_the_port_disproves_all() -> None:
    old = proc(9, "/", started=3.0)
    before = frozenset({(9, 3.0)})
    proof = judge((AT_HOME,), (old,), release_dir=NEW, releases_root=ROOT, not_before=before, port=8001)
    assert proof == Proof(False, "pid 9 (app) started before the switch and still answers on port 8001.", (9,))


def test_another_release_that_answers_on_the_port_disproves_all() -> None:
    proof = judge((AT_HOME,), (proc(9, OLD),), release_dir=NEW, releases_root=ROOT, port=8001)
    assert not proof.ok
    assert proof.reason == "pid 9 (app) runs from 1.0.0-aaaaaaaa and answers on port 8001."


def test_a_stranger_in_front_of_the_app_leaves_it_open() -> None:
    proof = judge((AT_HOME,), (proc(9, "/", "/usr/sbin/nginx"),), release_dir=NEW, releases_root=ROOT, port=80)
    assert proof.ok is None
    assert "port 80" in proof.reason


YES, NO, OPEN = Proof(True, "It runs.", (1,)), Proof(False, "It does not.", (1,)), Proof(None, "Who knows.", (1,))
RIGHT, WRONG = VersionAnswer("1.1.0", ""), VersionAnswer("1.0.0", "")
SILENT = VersionAnswer(None, "Nothing listens.")


@pytest.mark.parametrize(
    ("proof", "answer", "ok", "reason"),
    [
        (YES, None, True, "It runs."),
        (NO, None, False, "It does not."),
        (OPEN, None, False, "Name a version_endpoint"),
        (YES, RIGHT, True, "it is 1.1.0"),
        (NO, RIGHT, False, "It does not."),
        (OPEN, RIGHT, True, "it is 1.1.0"),
        (YES, WRONG, False, "it is 1.0.0, not 1.1.0"),
        (OPEN, WRONG, False, "it is 1.0.0, not 1.1.0"),
        (YES, SILENT, False, "Nothing listens."),
    ],
)
def test_a_version_endpoint_settles_what_is_open_and_mends_nothing(
    proof: Proof, answer: VersionAnswer | None, ok: bool, reason: str
) -> None:
    settled = confirm(proof, wanted="1.1.0", answer=answer)
    assert settled.ok is ok
    assert reason in settled.reason
