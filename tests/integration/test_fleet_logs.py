"""Logs of a real fleet, followed by a real command."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

from support.coordinator_process import NOONDAY
from support.eventually import eventually
from support.fleet import Fleet
from support.fleet_host import FleetHost


def test_logs_are_followed_on_all_hosts_until_ctrl_c(fleet: Fleet, tmp_path: Path) -> None:
    out = tmp_path / "lines"
    with out.open("w") as file:
        following = subprocess.Popen(
            [str(NOONDAY), "logs", "web", "--follow"], env=os.environ | fleet.env(), stdout=file, stderr=file
        )
    try:
        for number, host in enumerate(fleet.hosts):
            eventually(partial(_arrives, host, f"line {number}", out), what=f"a line of {host.name}", every=0.3)
        lines = out.read_text().splitlines()
        assert all(any(host.name in line and "tiny: line" in line for line in lines) for host in fleet.hosts)
        assert "Traceback" not in out.read_text()
    finally:
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0


def _arrives(host: FleetHost, words: str, out: Path) -> bool:
    """Whether what the host says is in `out`. Said again and again: nobody knows from which moment on it is sent."""
    host.web.say("INFO", words)
    return words in out.read_text()


def test_logs_of_one_host_are_its_own(fleet: Fleet) -> None:
    def told() -> list[str]:
        for host in fleet.hosts:
            host.web.say("WARNING", f"only {host.name}")
        return [line["text"] for line in fleet.ok("logs", "web", "--host", "web-2")["lines"] if "only" in line["text"]]

    lines = eventually(told, what="lines of web-2", every=0.3)
    assert {line.rpartition(" ")[2] for line in lines} == {"web-2"}
    assert fleet.refused("logs", "web", "--host", "web-77").rule == "not-enrolled"
