"""An agent's reading half as a process of its own: reads one log as the service does, and says what that took.

`python -m bench.log_reader LOG SECONDS`. It reads an agent.toml and makes the parts of an agent that has HAProxy and
supervisord beside it, so that its memory is that agent's. They are asked for nothing.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path

import psutil

from noonday_agent.app import build_parts
from noonday_agent.cli import bus_of
from noonday_agent.config import LogFile, load
from noonday_agent.evidence.collector import Collector
from noonday_agent.lean import keep_lean
from noonday_agent.service import EVERY, SOON
from noonday_shared.clock import SystemClock
from noonday_shared.envelope import seal
from noonday_shared.keys import SigningKey
from noonday_shared.memory import give_memory_back
from noonday_shared.messages import Evidence

_SEND_EVERY = 10.0
_AGENT = """
host = "web-1"
state_dir = "{folder}/state"
broker.url = "amqp://web-1:secret@127.0.0.1/noonday"
trust = {{ coordinator = "{key}", releases = ["{key}"], host_key_file = "{folder}/key" }}
[apps.web]
root = "{folder}"
process = {{ kind = "supervisord", socket = "{folder}/supervisor.sock", program = "web" }}
balancers = [{{ kind = "haproxy", address = "{folder}/haproxy.sock", backend = "web", server = "web-1" }}]
health.url = "http://127.0.0.1:8000"
"""


def main() -> None:
    log, seconds = Path(sys.argv[1]), float(sys.argv[2])
    give_memory_back()
    reader = _Reader(log)
    parts = _agents_parts(log.parent)
    keep_lean()
    reader.collector.begin("1.0.0-aaaaaaaa", 1)
    print("ready", flush=True)
    began, used = time.monotonic(), time.process_time()
    sent_at = began
    while (now := time.monotonic()) - began < seconds or not _ended():
        more = reader.collector.pump(time.time())
        if now - sent_at >= _SEND_EVERY:
            sent_at = now
            reader.send()
        time.sleep(SOON if more else EVERY)
    took, cpu, pss = time.monotonic() - began, time.process_time() - used, psutil.Process().memory_full_info().pss
    behind = reader.read_rest()
    last = reader.send()
    result = {
        "seconds": took,
        "cpu": cpu,
        "pss": max(pss, psutil.Process().memory_full_info().pss),
        "behind": behind,
        "sent": reader.sent,
        "records": last.records,
        "requests": last.requests,
        "dropped": last.dropped,
        "kinds": reader.kinds,
        "overflow": last.overflow,
    }
    del parts
    sys.stdout.write(json.dumps(result))


def _agents_parts(folder: Path) -> object:
    """All that a running agent holds in memory beside its logs, until it has something to do."""
    file = folder / "agent.toml"
    file.write_text(_AGENT.format(folder=folder, key=SigningKey.new().public), encoding="utf-8")
    config = load(file)
    return config, bus_of(config), build_parts("web", config.apps["web"], config, SystemClock())


def _ended() -> bool:
    """Whether the writer said that it wrote its last line."""
    return bool(select.select([sys.stdin], [], [], 0.0)[0])


class _Reader:
    def __init__(self, log: Path) -> None:
        self.collector = Collector("web", [LogFile(path=log)], [], log.parent, SystemClock())
        self.sent: list[int] = []
        self._told: set[str] = set()
        self._key = SigningKey.new()

    def send(self) -> Evidence:
        evidence = self.collector.evidence(host="web-1", boot=1, seq=len(self.sent), now=time.time(), watching=False)
        self.sent.append(len(seal("evidence", evidence, self._key)))
        self._told |= evidence.counts.keys()
        return evidence

    @property
    def kinds(self) -> int:
        """Kinds of records that were told under their key."""
        return len(self._told)

    def read_rest(self) -> float:
        """Seconds that reading what still waits takes."""
        began = time.monotonic()
        while self.collector.pump(time.time()):
            time.sleep(SOON)
        self.collector.drain()
        return time.monotonic() - began


if __name__ == "__main__":
    main()
