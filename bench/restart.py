"""From the start of a coordinator with 1,000 rollouts in its log to its first order, beside one with an empty log."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pika
import psutil
from pika.exceptions import ChannelClosedByBroker

from bench.figures import Figure
from bench.long_log import HOSTS, write
from examples.parts.rabbitmq import RabbitNode
from examples.webshop.world import free_port
from noonday_coordinator.init import init
from noonday_coordinator.store.event_log import EventLog
from noonday_shared.errors import Temporary
from noonday_shared.topology import agent_queue

BAR = 2.0
"""Seconds."""
ROLLOUTS = 1000
_WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Start:
    """Of one process. `first`: seconds until its first assignment was on the broker; `cpu`: seconds of CPU by then;
    `api`: until its API answered; `megabytes`: its memory a moment later."""

    first: float
    cpu: float
    api: float
    megabytes: float


def measure(times: int = 3) -> Figure:
    """Blocks for a minute or two."""
    with tempfile.TemporaryDirectory(prefix="nd-restart-") as name, _broker(Path(name) / "rabbitmq") as url:
        records, long = _starts(Path(name) / "long", url, ROLLOUTS, times + 1)
        _, short = _starts(Path(name) / "short", url, 1, times + 1)
    whole, again, empty = long[0], long[1:], short[1:]
    worst = max(one.first for one in again)
    return Figure(
        name=f"a coordinator restarted, {ROLLOUTS} rollouts ({records} records) in its log",
        bar=f"{BAR:g} s at most to its first order",
        ours=f"{_median(again, 'first'):.2f} s (worst {worst:.2f} s of {times}), {_median(again, 'cpu'):.2f} s of it "
        f"CPU; its API after {_median(again, 'api'):.2f} s; {_median(again, 'megabytes'):.0f} MB",
        reached=worst <= BAR,
        peer=f"with one rollout: {_median(empty, 'first'):.2f} s, {_median(empty, 'megabytes'):.0f} MB; all of the log "
        f"read, as once after an upgrade: {whole.first:.2f} s",
        raw={"records": records, "whole": asdict(whole), "again": [asdict(one) for one in again],
             "with one rollout": [asdict(one) for one in empty]},
    )  # fmt: skip


def _median(starts: list[Start], what: str) -> float:
    return float(statistics.median(getattr(one, what) for one in starts))


def _starts(folder: Path, url: str, rollouts: int, times: int) -> tuple[int, list[Start]]:
    """How many records there are, and the starts; each but the first after a death by SIGKILL."""
    listen = f"127.0.0.1:{free_port(['127.0.0.1'])}"
    made = init(folder, broker_url=url, listen=listen)
    with closing(EventLog.open(folder / "data" / "events.sqlite")) as log:
        records = write(log, rollouts)
    return records, [_start(made.config, url, f"http://{listen}/api/v1/health") for _ in range(times)]


def _start(config: Path, url: str, health: str) -> Start:
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        channel = connection.channel()
        channel.queue_delete(agent_queue(HOSTS[0]))
        began = time.monotonic()
        with (config.parent / "serve.log").open("a") as log:
            command = [str(Path(sys.executable).with_name("noonday")), "serve", "--config", str(config)]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            seen = psutil.Process(process.pid)
            first = _until(lambda: _waits(connection), began, process)
            cpu = sum(seen.cpu_times()[:2])
            api = _until(lambda: _answers(health), began, process)
            time.sleep(2.0)
            return Start(first, cpu, api, seen.memory_info().rss / 1e6)
        finally:
            process.kill()
            process.wait()


def _until(done: Callable[[], bool], began: float, process: subprocess.Popen[bytes]) -> float:
    while not done():
        if process.poll() is not None or time.monotonic() - began > _WITHIN:
            raise Temporary("The coordinator did not come up, so its start can't be measured.")
        time.sleep(0.005)
    return time.monotonic() - began


def _waits(connection: pika.BlockingConnection) -> bool:
    """Whether the first host's queue is there and holds an assignment."""
    channel = connection.channel()
    try:
        found = channel.queue_declare(agent_queue(HOSTS[0]), passive=True).method.message_count > 0
    except ChannelClosedByBroker:
        return False
    channel.close()
    return bool(found)


def _answers(health: str) -> bool:
    try:
        with urllib.request.urlopen(health, timeout=5.0) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    folder.mkdir()
    node = RabbitNode(folder)
    try:
        node.start()
        yield node.url
    finally:
        node.close()
