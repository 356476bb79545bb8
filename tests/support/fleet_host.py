"""One server of the test fleet: a folder, a loopback address, supervisord with its apps, and a real agent process."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from examples.parts.supervisord import Program, SupervisordProcess
from examples.webshop.child import Child
from examples.webshop.command_line import program
from noonday_agent.cli import main
from support.network import Room
from support.ports import free_port

_AGENT_WITHIN = 15.0


class HostedApp:
    """Where one app of a host lives, and what is seen of it there without asking Noonday."""

    def __init__(self, host: FleetHost, name: str) -> None:
        self.name = name
        self.root = host.folder / name
        self.log = host.folder / "log" / f"{name}.log"
        self.listen = f"{host.ip}:{free_port() if host.prefix else free_port(host.ip)}"
        self._starts = host.folder / "log" / f"{name}.starts"
        self._whims = host.folder / "log" / f"{name}.whims"

    @property
    def live(self) -> str:
        """What `current` points to, as in '1.0.1-0a1b2c3d'; '' without one."""
        try:
            return Path(os.readlink(self.root / "current")).name
        except OSError:
            return ""

    @property
    def answers(self) -> str:
        """The version that answers there now; '' when nothing does."""
        try:
            with urllib.request.urlopen(f"http://{self.listen}/", timeout=2) as reply:
                return str(reply.read().decode())
        except OSError:
            return ""

    @property
    def starts(self) -> list[str]:
        """The version of each start of the app, oldest first: a restart too many shows here."""
        return self._starts.read_text().splitlines() if self._starts.exists() else []

    def say(self, level: str, words: str) -> None:
        """The app logs a line."""
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("a") as log:
            log.write(f"2026-01-01 12:00:00,000 {level} tiny: {words}\n")

    def behave(self, *whims: str) -> None:
        """From now on, whatever runs here: a version as whim is ill (its health check fails, though it runs), `lingers`
        serves on for a minute after it was told to stop, `deaf` runs and listens only once that is over. Without whims
        all is well."""
        self._whims.write_text(" ".join(whims))

    def program(self) -> Program:
        return Program(
            self.name,
            command=str(self.root / "current" / "bin" / "start"),
            environment={
                "TINY_LISTEN": self.listen,
                "TINY_LOG": str(self.log),
                "TINY_STARTS": str(self._starts),
                "TINY_WHIMS": str(self._whims),
                "TINY_PYTHON": sys.executable,
            },
            autostart=False,  # nothing is installed yet: the first deploy starts it
            options={"stopwaitsecs": "5", "stopasgroup": "false", "killasgroup": "true", "startretries": "100"},
        )


class FleetHost:
    """`agent_toml` may be edited between `stop_agent` and `start_agent`. Not for many threads."""

    def __init__(self, folder: Path, name: str, ip: str, apps: tuple[str, ...], room: Room | None = None) -> None:
        self.folder = folder
        self.name = name
        self.room = room
        """Where it is, when it has a room of its own."""
        self.ip = room.address if room else ip
        self.prefix = room.prefix if room else ()
        self.agent_toml = folder / "agent.toml"
        self.state_dir = folder / "state"
        self.crash_file = folder / "crash"
        """Write the name of a crash point into it, and the agent dies there (noonday_shared.crashpoint)."""
        (folder / "log").mkdir(parents=True)
        self.apps = {app: HostedApp(self, app) for app in apps}
        self.supervisord = SupervisordProcess(
            folder / "sv", [app.program() for app in self.apps.values()], prefix=self.prefix
        )
        self._agent: Child | None = None

    @property
    def web(self) -> HostedApp:
        return self.apps["web"]

    @property
    def agent_pid(self) -> int:
        """0 while it does not run."""
        return self._agent.pid if self.agent_runs and self._agent else 0

    @property
    def agent_runs(self) -> bool:
        return self._agent is not None and self._agent.returncode is None

    def configure(self, enrolled: str, host_key: str, haproxy: Path) -> None:
        """`enrolled`, `host_key`: what `noonday enroll` answered."""
        key_file = self.folder / "host.key"
        key_file.touch(mode=0o600)
        key_file.write_text(host_key)
        enrolled = re.sub(r'^host_key_file = "[^"]*"', f'host_key_file = "{key_file}"', enrolled, flags=re.MULTILINE)
        apps = "".join(self._app_toml(app, haproxy) for app in self.apps.values())
        self.agent_toml.write_text(f'state_dir = "{self.state_dir}"\n{enrolled}\n{apps}')

    def start_agent(self) -> None:
        """Begins it, and does not wait until it is heard. Does nothing when it runs."""
        if self.agent_runs:
            return
        argv = [*self.prefix, program("noonday-agent"), "run", "--config", str(self.agent_toml)]
        env = os.environ | {"NOONDAY_CRASH_FILE": str(self.crash_file)}
        self._agent = Child(f"the agent of {self.name}", argv, output=self.folder / "agent.log", env=env)

    def stop_agent(self) -> None:
        """SIGTERM, and wait for its end. May be repeated."""
        if self._agent is not None:
            self._agent.stop(_AGENT_WITHIN)

    def kill_agent(self) -> None:
        """SIGKILL. May be repeated."""
        if self._agent is not None and self.agent_runs:
            os.kill(self._agent.pid, signal.SIGKILL)
            self._agent.stop(_AGENT_WITHIN)

    def run_refused(self, config: Path | None = None) -> str:
        """What `noonday-agent run` says when it can't start, which it must not."""
        argv = [program("noonday-agent"), "run", "--config", str(config or self.agent_toml)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2, done
        assert "Traceback" not in done.stderr, done
        return done.stderr

    def ask_agent(self, verb: str, *options: str, config: Path | None = None) -> tuple[int, str]:
        """Exit status and words of `noonday-agent check` or `status`, inside this process, which is quick."""
        words = io.StringIO()
        with redirect_stdout(words), redirect_stderr(words), pytest.raises(SystemExit) as ended:
            main([verb, "--config", str(config or self.agent_toml), *options])
        return int(str(ended.value.code)), words.getvalue()

    @contextmanager
    def edited(self, old: str, new: str) -> Iterator[None]:
        """With another agent.toml and no agent, which is started again at the end with the old one."""
        self.stop_agent()
        text = self.agent_toml.read_text()
        assert old in text
        self.agent_toml.write_text(text.replace(old, new))
        try:
            yield
        finally:
            self.stop_agent()
            self.agent_toml.write_text(text)
            self.start_agent()

    def agent_log(self) -> str:
        log = self.folder / "agent.log"
        return log.read_text(errors="replace") if log.exists() else "no agent was started\n"

    def journal(self, app: str = "web") -> dict[str, object]:
        """What the agent keeps on disk of one app."""
        found: dict[str, object] = json.loads((self.state_dir / "apps" / f"{app}.json").read_text())
        return found

    def close(self) -> None:
        self.kill_agent()
        self.supervisord.kill()

    def _app_toml(self, app: HostedApp, haproxy: Path) -> str:
        return f"""
[apps.{app.name}]
root = "{app.root}"
process = {{ kind = "supervisord", socket = "{self.supervisord.socket}", program = "{app.name}" }}
balancers = [{{ kind = "haproxy", address = "{haproxy}", backend = "{app.name}", server = "{self.name}" }}]
health = {{ url = "http://{app.listen}", path = "/healthz", within = 15.0, every = 1.0 }}
drain = {{ idle_within = 5.0 }}
restart_within = 15.0
return_within = 15.0
logs = [{{ path = "{app.log}" }}]
hooks = {{ within = 2.0 }}
"""
