"""The command against canned answers of the API: exit statuses, JSON, prompts, plain lines, leaving."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner

from noonday_coordinator.api import models as m
from noonday_coordinator.cli.main import main
from noonday_coordinator.cli.session import Seams
from noonday_shared.keys import SigningKey
from support.fake_api import TOKEN, FakeApi, ended, full_api, info, plan, refusal
from support.noonday_command import DEPLOY, GONE, noonday, own_home, said

__all__ = ["own_home"]
pytestmark = pytest.mark.usefixtures("own_home")


# Exit statuses


@pytest.mark.parametrize(("end", "code"), [("done", 0), ("rolled-back", 3), ("failed", 4), ("aborted", 4)])
def test_deploy_exits_as_its_rollout_ended(end: str, code: int) -> None:
    api = full_api().rollout(info(), info(), ended(end, "so it was"))
    result = noonday(api, *DEPLOY)
    assert result.exit_code == code, said(result)
    assert "so it was" in result.stdout


def test_nothing_to_do_is_done_and_starts_nothing() -> None:
    api = full_api().on("POST", "/apps/web/plan", plan(nothing_to_do=True, waves=(), hosts=()))
    result = noonday(api, *DEPLOY)
    assert result.exit_code == 0
    assert "Nothing to do" in result.stdout
    assert ("POST", "/apps/web/rollouts") not in api.calls


@pytest.mark.parametrize("waiting", [{"asked": "12 requests only. Go on?"}, {"stage": "gate", "examine": None}])
def test_a_rollout_that_waits_for_a_person_ends_the_plain_view(waiting: dict[str, object]) -> None:
    result = noonday(full_api().rollout(info(), info(**waiting)), *DEPLOY)
    assert result.exit_code == 5, said(result)
    assert "noonday promote web | noonday rollback web | noonday abort web" in result.stderr


def test_a_rollout_that_waits_for_a_person_is_shown_on_at_a_terminal() -> None:
    api = full_api().rollout(info(), info(asked="Go on?"), info(asked="Go on?"), ended("done"))
    result = noonday(api, *DEPLOY, terminal=True)
    assert result.exit_code == 0, said(result)
    assert "Answer: noonday promote web" in result.stdout


def test_no_wait_returns_once_it_is_started() -> None:
    api = full_api().rollout(info(asked="Go on?"))
    result = noonday(api, *DEPLOY, "--no-wait")
    assert result.exit_code == 0
    assert ("GET", "/rollouts/web-7") not in api.calls
    assert "noonday show web-7 --follow" in result.stderr


def test_a_refusal_is_one_line_of_what_and_one_of_what_next() -> None:
    api = full_api().on("POST", "/apps/web/plan", refusal("Refused: web 1.1.0 was not pushed."))
    result = noonday(api, *DEPLOY)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == ["Refused: web 1.1.0 was not pushed.", "Next: mend it"]


def test_a_rollback_that_went_back_did_what_was_asked() -> None:
    result = noonday(full_api().rollout(ended("rolled-back")), "rollback", "web", "--yes", "--why", "slow")
    assert result.exit_code == 0, said(result)


def test_an_unreachable_coordinator_is_named_with_what_to_start() -> None:
    result = noonday(FakeApi().on("GET", "/status", GONE), "status")
    assert result.exit_code == 1
    assert "http://127.0.0.1:7676" in result.stderr
    assert "Next: start it: noonday serve" in result.stderr


def test_something_else_at_the_url_is_not_taken_for_a_coordinator() -> None:
    seams = Seams(httpx.MockTransport(lambda _: httpx.Response(200, html="<h1>Welcome</h1>")))
    result = CliRunner().invoke(main, ["status"], obj=seams)
    assert result.exit_code == 1
    assert "not as a Noonday coordinator" in result.stderr


def test_a_proxy_without_a_coordinator_behind_it_counts_as_unreachable() -> None:
    seams = Seams(httpx.MockTransport(lambda _: httpx.Response(502, text="Bad gateway")))
    result = CliRunner().invoke(main, ["status", "--json"], obj=seams)
    assert result.exit_code == 1
    assert json.loads(result.stderr)["rule"] == "unreachable"


@pytest.mark.parametrize("token", ["wrong", ""])
def test_a_wrong_or_missing_token_is_refused(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOONDAY_TOKEN", token)
    result = noonday(full_api(), "status")
    assert result.exit_code == 2
    assert "token" in result.stderr
    assert ("NOONDAY_TOKEN" in result.stderr) is (token == "")


def test_a_token_file_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setenv("NOONDAY_TOKEN", "wrong")
    assert noonday(full_api(), "status", "--token-file", str(tmp_path / "token")).exit_code == 0


def test_the_users_own_token_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOONDAY_TOKEN")
    own = tmp_path / ".config/noonday/token"
    own.parent.mkdir(parents=True)
    own.write_text(f"{TOKEN}\n")
    assert noonday(full_api(), "status").exit_code == 0


@pytest.mark.parametrize(
    "args",
    [
        ("deploy", "web"),
        ("no-such-command",),
        ("status", "--odd"),
        ("deploy", "web", "1 1", "--yes"),
        ("enroll", "Web_1"),
        ("enroll", "web-1", "--label", "role"),
        ("status", "--url", "ftp://here"),
        ("status", "--token-file", "no-such-file"),
        ("status", "--url", "http://here:port"),
        ("release", "push", "no-such.tar.gz"),
        ("history", "no-such-app-here", "--limit", "0"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_bad_input_is_refused_with_a_sentence(args: tuple[str, ...], as_json: bool) -> None:
    api = full_api()
    result = noonday(api, *args, *(["--json"] if as_json else []))
    assert result.exit_code == 2, said(result)
    assert api.calls == []
    if as_json:
        assert set(json.loads(result.stderr)) == {"rule", "text", "next_action"}
    else:
        assert "Next: " in result.stderr


# Prompts


@pytest.mark.parametrize("command", [("deploy", "web", "1.1.0"), ("rollback", "web")])
@pytest.mark.parametrize("terminal", [("--json",), ()])
def test_without_a_terminal_nothing_is_asked_and_nothing_is_done(
    command: tuple[str, ...], terminal: tuple[str, ...]
) -> None:
    api = full_api()
    # With --json nobody is asked at a terminal either: its reader is a program.
    result = noonday(api, *command, *terminal, terminal=bool(terminal), answer="y\n")
    assert result.exit_code == 2, said(result)
    assert "--yes" in result.stderr
    assert not {("POST", "/apps/web/rollouts"), ("POST", "/apps/web/rollback")} & set(api.calls)


@pytest.mark.parametrize(("answer", "code", "started"), [("y\n", 0, True), ("n\n", 2, False), ("", 2, False)])
def test_at_a_terminal_the_plan_is_shown_and_a_yes_is_asked_for(answer: str, code: int, started: bool) -> None:
    api = full_api()
    result = noonday(api, "deploy", "web", "1.1.0", terminal=True, answer=answer)
    assert result.exit_code == code, said(result)
    assert "canary: web-1" in result.stdout
    assert (("POST", "/apps/web/rollouts") in api.calls) is started


def test_the_plan_alone_changes_nothing() -> None:
    api = full_api()
    result = noonday(api, "deploy", "web", "1.1.0", "--plan")
    assert result.exit_code == 0
    for words in ("canary: web-1", "wave 1: web-2, web-3", "1 host of 3", "200 requests", "1 min 45 s"):
        assert words in result.stdout
    assert api.calls == [("POST", "/apps/web/plan")]


# JSON

EVERY = [
    "status",
    "hosts",
    "enroll web-1 --label role=web",
    "remove web-1",
    "drain web-1",
    "undrain web-1",
    "release list web",
    "release show web 1.1.0",
    "release unblock web 1.1.0 --why mended",
    "deploy web 1.1.0 --plan",
    "promote web",
    "abort web",
    "pause web",
    "resume web",
    "logs web",
    "findings web",
    "findings web-7",
    "caveats list web",
    "caveats accept web 0a1b --reason known",
    "caveats mute web 0a1b --reason known",
    "caveats forget web 0a1b",
    "compare web",
    "compare web-7",
    "logs web --only-new",
    "history",
    "history web",
    "show web-7",
    "doctor",
]


@pytest.mark.parametrize("command", EVERY)
def test_json_is_one_document_on_stdout_and_text_is_clean(command: str) -> None:
    api = full_api()
    as_json = noonday(api, *command.split(), "--json")
    assert as_json.exit_code == 0, said(as_json)
    assert isinstance(json.loads(as_json.stdout), dict)
    text = noonday(full_api(), *command.split())
    assert text.exit_code == 0, said(text)
    assert text.stdout.strip()
    assert "\x1b" not in text.stdout


def test_an_error_is_json_too() -> None:
    result = noonday(FakeApi(), "show", "web-9", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["rule"] == "no-such-app"


# The rest


@pytest.mark.parametrize(("worst", "code"), [("ok", 0), ("warn", 0), ("fail", 4)])
def test_doctor_exits_by_its_worst_check(worst: str, code: int) -> None:
    check = m.Check.model_validate({"name": "broker", "state": worst, "text": "so it is", "next_action": "mend it"})
    told = m.Doctor.model_validate({"worst": worst, "checks": (check,)})
    result = noonday(FakeApi().on("GET", "/doctor", told), "doctor")
    assert result.exit_code == code
    assert ("FAIL" if worst == "fail" else worst) in result.stdout
    assert "Next: mend it" in result.stdout


def test_doctor_works_without_a_coordinator() -> None:
    result = noonday(FakeApi().on("GET", "/doctor", GONE), "doctor")
    assert result.exit_code == 4
    assert "FAIL  coordinator" in result.stdout
    assert "noonday serve" in result.stdout


def test_a_new_folder_is_made_and_never_overwritten(tmp_path: Path) -> None:
    args = ("init", str(tmp_path / "co"), "--broker", "amqp://u:p@127.0.0.1/v")
    first = noonday(FakeApi(), *args, "--json")
    assert first.exit_code == 0, said(first)
    assert Path(json.loads(first.stdout)["config"]).is_file()
    assert noonday(FakeApi(), *args).exit_code == 2
    assert noonday(FakeApi(), "init", str(tmp_path / "other"), "--broker", "http://x").exit_code == 2


def test_a_release_is_built_and_pushed_in_one_body(tmp_path: Path) -> None:
    folder, key = tmp_path / "shop", tmp_path / "release.key"
    folder.mkdir()
    (folder / "release.toml").write_text('app = "web"\n')
    SigningKey.new().save(key)
    build = ("release", "build", str(folder), "--version", "1.1.0", "--out", str(tmp_path), "--key", str(key), "--json")
    built = json.loads(noonday(FakeApi(), *build).stdout)
    api = full_api()
    result = noonday(api, "release", "push", built["archive"], "--why", "build 4711")
    assert result.exit_code == 0, said(result)
    request = api.requests[-1]
    assert request.url.params["why"] == "build 4711"
    split = int(request.headers[m.MANIFEST_BYTES])
    assert request.content[:split] == Path(built["manifest"]).read_bytes()
    assert request.content[split:] == Path(built["archive"]).read_bytes()
    assert int(request.headers["Content-Length"]) == len(request.content)
    assert "Transfer-Encoding" not in request.headers


def test_a_build_without_a_key_says_where_it_looked(tmp_path: Path) -> None:
    result = noonday(FakeApi(), "release", "build", str(tmp_path), "--version", "1.1.0")
    assert result.exit_code == 2
    assert "release.key" in result.stderr


def commands(group: click.Group, path: str = "noonday") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def test_every_command_has_json_and_stands_in_the_docs_with_its_options() -> None:
    page = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    for path, command in commands(main):
        options = {name for param in command.params for name in param.opts if name.startswith("--")}
        assert "--json" in options, path
        assert f"### `{path}" in page, f"{path} is not in docs/cli.md"
        section = page.split(f"### `{path}")[1].split("\n### ")[0]
        for option in options - {"--json", "--url", "--token-file"}:
            assert option in section, f"{option} of {path} is not in docs/cli.md"
