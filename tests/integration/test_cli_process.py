"""The command in a real terminal, left with Ctrl-C; and against a coordinator that really serves."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from noonday_coordinator.cli.main import main
from support.eventually import eventually
from support.fake_api import TOKEN, full_api, info
from support.ports import free_port

NOONDAY = [sys.executable, "-c", "from noonday_coordinator.cli.main import main; main()"]


@dataclass
class Terminal:
    """A pseudo-terminal with the command in it."""

    process: subprocess.Popen[bytes]
    master: int
    read: bytearray = field(default_factory=bytearray)

    def listen(self) -> None:
        # The read fails when the last process on the other side is gone.
        try:
            while piece := os.read(self.master, 4096):
                self.read += piece
        except OSError:
            return

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.read.decode(errors="replace"))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """`noonday deploy` in a terminal, asking a coordinator whose rollout never ends."""
    with full_api().rollout(info()).listening() as url:
        master, slave = pty.openpty()
        env = {**os.environ, "HOME": str(tmp_path), "NOONDAY_TOKEN": TOKEN, "NOONDAY_URL": url, "TERM": "xterm"}
        env |= {"COLUMNS": "120", "LINES": "50"}
        process = subprocess.Popen(
            [*NOONDAY, "deploy", "web", "1.1.0"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            start_new_session=True,
        )
        os.close(slave)
        made = Terminal(process, master)
        listener = threading.Thread(target=made.listen, daemon=True)
        listener.start()
        yield made
        process.kill()
        process.wait(10)
        listener.join(5)
        os.close(master)


def test_in_a_terminal_deploy_asks_draws_and_can_be_left(terminal: Terminal) -> None:
    eventually(lambda: "Release web 1.1.0? [y/N]" in terminal.text, what="the question")
    os.write(terminal.master, b"y\n")
    eventually(lambda: "examining canary" in terminal.text, what="the picture")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(10) == 130
    eventually(lambda: "web-7 goes on" in terminal.text, what="how to come back")
    assert "noonday abort web" in terminal.text
    assert "Traceback" not in terminal.text
    # The cursor that the picture hid is back.
    assert terminal.read.rindex(b"\x1b[?25h") > terminal.read.rindex(b"\x1b[?25l")


@dataclass(frozen=True)
class Coordinator:
    """`noonday serve` in a folder that `noonday init` made, with no broker at its address."""

    folder: Path
    env: dict[str, str]

    def noonday(self, *args: str, **env: str) -> Result:
        return CliRunner().invoke(main, args, env=self.env | env)


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    folder, port = tmp_path_factory.mktemp("coordinator"), free_port()
    bare = Coordinator(folder, {**os.environ, "HOME": str(folder), "NOONDAY_URL": f"http://127.0.0.1:{port}"})
    listen, broker = f"127.0.0.1:{port}", f"amqp://u:p@127.0.0.1:{free_port()}/v"
    made = json.loads(bare.noonday("init", str(folder / "co"), "--broker", broker, "--listen", listen, "--json").stdout)
    env = bare.env | {"NOONDAY_TOKEN": made["token"], "NOONDAY_RELEASE_KEY": made["release_key"]}
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen([*NOONDAY, "serve", "--config", made["config"]], env=env, stdout=log, stderr=log)
    ready = Coordinator(folder, env)
    try:
        eventually(lambda: ready.noonday("status").exit_code == 0, what="the coordinator")
        yield ready
    finally:
        process.terminate()
        process.wait(20)


def test_doctor_says_that_the_broker_is_not_there(coordinator: Coordinator) -> None:
    done = coordinator.noonday("doctor")
    assert done.exit_code == 4
    assert re.search(r"ok +coordinator", done.stdout)
    assert re.search(r"FAIL +broker", done.stdout)


def test_a_wrong_token_is_refused_by_the_real_coordinator(coordinator: Coordinator) -> None:
    done = coordinator.noonday("status", "--json", NOONDAY_TOKEN="wrong")
    assert done.exit_code == 2
    assert json.loads(done.stderr)["rule"] == "wrong-token"


def test_a_release_travels_from_a_folder_to_the_list(coordinator: Coordinator) -> None:
    shop, built = coordinator.folder / "shop", str(coordinator.folder / "built")
    shop.mkdir()
    (shop / "release.toml").write_text('app = "web"\n')
    build = ("release", "build", str(shop), "--version", "1.1.0", "--out", built, "--json")
    archive = json.loads(coordinator.noonday(*build).stdout)["archive"]
    assert coordinator.noonday("release", "push", archive).exit_code == 0
    again = coordinator.noonday("release", "push", archive, "--json")
    assert (again.exit_code, json.loads(again.stdout)["new"]) == (0, False)
    listed = json.loads(coordinator.noonday("release", "list", "web", "--json").stdout)
    assert [one["version"] for one in listed["releases"]] == ["1.1.0"]
    (shop / "page").write_text("other")
    other = json.loads(coordinator.noonday(*build).stdout)["archive"]
    refused = coordinator.noonday("release", "push", other)
    assert refused.exit_code == 2
    assert "other content" in refused.stderr


def test_enrolling_twice_is_refused_and_rotating_is_not(coordinator: Coordinator) -> None:
    assert coordinator.noonday("enroll", "web-1", "--label", "role=web").exit_code == 0
    assert coordinator.noonday("enroll", "web-1", "--label", "role=web").exit_code == 2
    assert coordinator.noonday("enroll", "web-1", "--label", "role=web", "--rotate").exit_code == 0
    assert "web-1" in coordinator.noonday("hosts").stdout


@pytest.mark.parametrize(
    "command",
    [
        "deploy web 9.9.9 --yes",
        "deploy nosuch 1.0.0 --yes",
        "rollback web --yes",
        "promote web",
        "abort web",
        "pause web",
        "resume web",
        "show web-9",
        "findings nosuch",
        "logs nosuch",
        "history nosuch",
        "drain web-9",
        "remove web-9",
        "release show web 9.9.9",
        "release unblock web 9.9.9 --why x",
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_do_next(coordinator: Coordinator, command: str) -> None:
    done = coordinator.noonday(*command.split())
    assert done.exit_code == 2, done.output
    what, following = done.stderr.splitlines()
    assert what
    assert following.startswith("Next: ")
