"""A web server whose app a command restarts, with the agent's real runner in a process that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from noonday_agent.core.journal import Journal
from noonday_agent.journal_file import JournalFile
from noonday_shared.clock import SystemClock
from noonday_shared.files import write_whole
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Goal, Outcome
from noonday_shared.release.archive import BuiltRelease, build_archive
from support.eventually import eventually
from support.fake_host import assignment
from support.fleet_release import lay_out
from support.ports import free_port

KEY = SigningKey(b"k" * 32)
AGENT = Path(__file__).with_name("hosted_app.py")

_RESTART = """\
#!/bin/sh
readlink {top}/web/current >> {top}/restarts
. {top}/trouble
if [ -s {top}/pid ]; then
    old=$(cat {top}/pid)
    kill -9 $old
    while [ -e /proc/$old ] && [ "$(cut -d' ' -f3 /proc/$old/stat)" != Z ]; do sleep 0.02; done
fi
start() {{
    cd {top}/web/current
    bin/start >/dev/null 2>&1 &
    echo $! > {top}/pid
}}
. {top}/end
"""

_TOML = """\
host = "web-1"
state_dir = "{top}/state"
broker = {{ url = "amqp://nobody@127.0.0.1:1/" }}
trust = {{ coordinator = "{key}", releases = ["{key}"], host_key_file = "{top}/host.key" }}

[apps.web]
root = "{top}/web"
process = {{ kind = "command", restart = ["{top}/restart"], pid_file = "{top}/pid" }}
balancers = [{balancer}]
health = {{ url = "http://{listen}", path = "/healthz" }}
restart_within = {within}
"""


_FILE = '{{ kind = "file", path = "{top}/in", settle = 0.1 }}'


class CommandHost:
    """`trouble`: what the restart command does before it stops the app. `end`: how it starts the app at last."""

    def __init__(self, top: Path, *, within: float = 60.0, balancer: str = "") -> None:
        """`within`: seconds for a restart. `balancer`: its table in agent.toml; a file when empty."""
        self._top = top
        self._crash_file = top / "crash"
        self._listen = f"127.0.0.1:{free_port()}"
        self._agent: subprocess.Popen[bytes] | None = None
        self._generation = 0
        self._proven: BuiltRelease | None = None
        self.trouble("")
        self.end("start")
        (top / "restart").write_text(_RESTART.format(top=top))
        (top / "restart").chmod(0o755)
        table = balancer or _FILE.format(top=top)
        toml = _TOML.format(top=top, key=KEY.public, listen=self._listen, within=within, balancer=table)
        (top / "agent.toml").write_text(toml)

    def trouble(self, script: str) -> None:
        (self._top / "trouble").write_text(script + "\n")

    def end(self, script: str) -> None:
        (self._top / "end").write_text(script + "\n")

    def build(self, version: str, *, hook: str = "", script: str = "") -> BuiltRelease:
        """A release, with a hook when one is named."""
        toml, files = (f'[hooks]\n{hook} = "hooks/it"\n', {"hooks/it": script}) if hook else ("", {})
        source = lay_out(self._top / f"source-{version}", "web", version, mode="healthy", toml=toml, files=files)
        return build_archive(source, version=version, out_dir=self._top / "built", key=KEY)

    def start_agent(self) -> None:
        env = os.environ | {
            "NOONDAY_CRASH_FILE": str(self._crash_file),
            "TINY_LISTEN": self._listen,
            "TINY_LOG": str(self._top / "log"),
            "TINY_STARTS": str(self._top / "starts"),
            "TINY_WHIMS": str(self._top / "whims"),
            "TINY_PYTHON": sys.executable,
        }
        argv = [sys.executable, str(AGENT), str(self._top / "agent.toml"), str(self._top / "said")]
        with (self._top / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen(argv, env=env, stdout=log, stderr=log)

    def dies_at(self, point: str) -> None:
        """The agent, and it is dead when this returns: see noonday_shared.crashpoint."""
        self._crash_file.write_text(point)
        eventually(lambda: self._agent is not None and self._agent.poll() is not None, what=f"a death at {point}")

    def kill_agent(self) -> None:
        self._ended(signal.SIGKILL)

    def stop_agent(self) -> None:
        self._ended(signal.SIGTERM)

    def say(self, built: BuiltRelease) -> None:
        """It is to serve this release."""
        self._generation += 1
        previous = self._proven.signed.ref if self._proven else None
        said = assignment(
            SystemClock(), Goal.SERVING, built.signed.ref, generation=self._generation, previous=previous
        ).model_copy(update={"source": str(built.archive)})
        write_whole(self._top / "said", said.model_dump_json())

    def serve(self, built: BuiltRelease) -> None:
        """Say it, and wait until it does."""
        self.say(built)
        eventually(lambda: self.journal.proven == built.signed.ref, what="the first release")
        self._proven = built

    def ended(self) -> Journal:
        """The journal once there is nothing to do."""

        def over() -> bool:
            journal = self.journal
            taken = journal.assignment is not None and journal.assignment.generation == self._generation
            return taken and journal.outcome is not Outcome.WORKING and journal.attempt is None

        eventually(over, what="the end of what it was told")
        return self.journal

    @property
    def journal(self) -> Journal:
        return JournalFile(self._top / "state" / "apps" / "web.json", "web").load()

    @property
    def agent_log(self) -> str:
        return (self._top / "agent.log").read_text()

    @property
    def restarts(self) -> list[str]:
        """The releases that `current` named when the restart command ran, in order."""
        return [Path(line).name for line in (self._top / "restarts").read_text().split()]

    @property
    def starts(self) -> list[str]:
        """The versions that started, in order."""
        return (self._top / "starts").read_text().split()

    def close(self) -> None:
        if self._agent is not None and self._agent.poll() is None:
            self.kill_agent()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if any(str(self._top) in word for word in (process.cwd(), *process.cmdline())):
                    process.kill()

    def _ended(self, number: signal.Signals) -> None:
        assert self._agent is not None
        self._agent.send_signal(number)
        self._agent.wait(timeout=60)
