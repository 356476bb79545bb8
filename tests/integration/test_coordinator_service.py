"""`noonday serve` as a process: with and without a broker, stopped, killed, started twice."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from bench.long_log import write
from noonday_coordinator.api import models as m
from noonday_coordinator.core.events import CoordinatorStarted
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.folded import FoldedState
from noonday_shared import topology
from noonday_shared.errors import BadInput
from noonday_shared.keys import SigningKey
from support.archives import Shelf
from support.coordinator_process import CoordinatorProcess
from support.eventually import eventually
from support.ports import free_port
from support.rabbitmq import RabbitMQ


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoordinatorProcess]:
    """It runs, and the broker that it is told of is not there."""
    coordinator = unconnected(tmp_path_factory.mktemp("coordinator"))
    try:
        coordinator.start()
        yield coordinator
    finally:
        coordinator.kill()


def unconnected(folder: Path) -> CoordinatorProcess:
    return CoordinatorProcess.on(folder / "noonday", f"amqp://guest:guest@127.0.0.1:{free_port()}/")


def refused_start(coordinator: CoordinatorProcess) -> str:
    """What it says when it can't begin."""
    done = subprocess.run(coordinator.command(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def test_without_its_broker_it_serves_and_the_doctor_says_so(coordinator: CoordinatorProcess) -> None:
    client = coordinator.client()
    broker = next(check for check in client.get("/doctor", m.Doctor).checks if check.name == "broker")
    assert broker.state == "fail"
    assert broker.text
    assert "RabbitMQ" in broker.next_action
    assert client.get("/status", m.Status).term == 1


def test_killed_and_started_again_it_knows_what_it_knew_in_the_next_term(tmp_path: Path) -> None:
    coordinator = unconnected(tmp_path)
    try:
        coordinator.start()
        coordinator.client().post("/hosts", m.Enrolled, m.EnrollAsk(host="web-1", labels={"role": "web"}))
        coordinator.kill()
        coordinator.start()
        client = coordinator.client()
        assert client.get("/status", m.Status).term == 2
        (host,) = client.get("/hosts", m.Hosts).hosts
        assert (host.host, host.labels) == ("web-1", {"role": "web"})
        assert coordinator.stop() == 0
    finally:
        coordinator.kill()
    assert "Stopped." in coordinator.log()
    assert "Traceback" not in coordinator.log()
    assert coordinator.made.token not in coordinator.log()


def test_a_second_one_on_the_same_folder_is_refused_in_words(coordinator: CoordinatorProcess) -> None:
    assert coordinator.process is not None
    assert f"Another coordinator (process {coordinator.process.pid})" in refused_start(coordinator)
    assert coordinator.client().get("/status", m.Status).term == 1


def test_a_taken_port_is_refused_in_words(coordinator: CoordinatorProcess, tmp_path: Path) -> None:
    other = unconnected(tmp_path)
    taken = coordinator.url.removeprefix("http://")
    text = other.made.config.read_text().replace(other.url.removeprefix("http://"), taken)
    other.made.config.write_text(text)
    assert f"can't listen on {taken}" in refused_start(other)


def test_a_request_that_does_not_end_holds_up_the_stop_for_a_few_seconds_only(tmp_path: Path) -> None:
    coordinator = unconnected(tmp_path)
    coordinator.start()
    host, _, port = coordinator.url.removeprefix("http://").rpartition(":")
    with closing(socket.create_connection((host, int(port)), timeout=30)) as link:
        link.sendall(b"POST /api/v1/hosts HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n")
        link.sendall(f"Authorization: Bearer {coordinator.made.token}\r\n\r\nhalf".encode())
        coordinator.client().get("/status", m.Status)
        assert coordinator.stop() == 0


def test_a_large_push_that_is_refused_early_gets_its_reason(coordinator: CoordinatorProcess, tmp_path: Path) -> None:
    key = SigningKey.new()  # not one of the coordinator's
    built = Shelf(tmp_path, key).build("1.0.0", {"blob": os.urandom(8 << 20)})
    with pytest.raises(BadInput) as caught:
        coordinator.client().upload(
            "/apps/web/releases", m.Pushed, built.manifest.read_bytes(), built.archive
        )  # fmt: skip
    assert caught.value.rule == "bad-signature"


def test_an_upload_that_breaks_off_leaves_nothing_behind(coordinator: CoordinatorProcess, tmp_path: Path) -> None:
    key = SigningKey.load(coordinator.made.release_key)
    built = Shelf(tmp_path, key).build("1.0.0", {"blob": os.urandom(4 << 20)})
    manifest = built.manifest.read_bytes()
    broken = threading.Event()
    drafts = coordinator.made.config.parent / "data" / "artifacts" / ".drafts"

    def half() -> Iterator[bytes]:
        yield manifest
        yield built.archive.read_bytes()[: 2 << 20]
        eventually(lambda: list(drafts.iterdir()), what="a draft")
        broken.set()
        raise ConnectionAbortedError

    headers = {
        "Authorization": f"Bearer {coordinator.made.token}",
        m.MANIFEST_BYTES: str(len(manifest)),
        "Content-Length": str(len(manifest) + built.signed.size),
    }
    url = f"{coordinator.url}{m.PREFIX}/apps/web/releases"
    with pytest.raises(ConnectionAbortedError):
        httpx.post(url, content=half(), headers=headers, trust_env=False)
    assert broken.is_set()
    eventually(lambda: not list(drafts.iterdir()), what="an empty folder of drafts")
    client = coordinator.client()
    assert client.upload("/apps/web/releases", m.Pushed, manifest, built.archive).new
    assert "Traceback" not in coordinator.log()


def test_an_enrolled_host_has_its_queue_on_the_broker_until_it_is_removed(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    coordinator = CoordinatorProcess.on(tmp_path / "noonday", rabbitmq.url)
    try:
        coordinator.start()
        client = coordinator.client()
        eventually(lambda: client.get("/status", m.Status).broker.connected, what="the connection to the broker")
        client.post("/hosts", m.Enrolled, m.EnrollAsk(host="queue-1"))
        eventually(lambda: has_queue(rabbitmq, "queue-1"), what="the host's queue")
        client.delete("/hosts/queue-1", m.Done)
        eventually(lambda: not has_queue(rabbitmq, "queue-1"), what="the queue's end")
        assert coordinator.stop() == 0
    finally:
        coordinator.kill()


def has_queue(rabbitmq: RabbitMQ, host: str) -> bool:
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        try:
            connection.channel().queue_declare(topology.agent_queue(host), passive=True)
        except ChannelClosedByBroker:
            return False
    return True


def test_a_log_that_was_changed_keeps_it_from_starting_and_the_audit_says_where(tmp_path: Path) -> None:
    coordinator = unconnected(tmp_path)
    log = coordinator.made.config.parent / "data" / "events.sqlite"
    with closing(EventLog.open(log)) as made:
        made.append([CoordinatorStarted(term) for term in range(1, 5)], at=1.0, by="coordinator")
    with closing(sqlite3.connect(log)) as raw, raw:
        raw.execute("UPDATE events SET by = 'nobody' WHERE seq = 3")
    before = log.read_bytes()
    words = refused_start(coordinator)
    assert "Record 3 of the event log is not as it was written" in words
    assert f"noonday audit --log {log}" in words
    assert log.read_bytes() == before


def test_a_page_of_the_log_that_the_disk_lost_keeps_it_from_starting(tmp_path: Path) -> None:
    coordinator = unconnected(tmp_path)
    log = coordinator.made.config.parent / "data" / "events.sqlite"
    with closing(EventLog.open(log)) as made:
        write(made, 1)
    with log.open("r+b") as raw:
        raw.seek(-4096, os.SEEK_END)
        raw.write(b"\0" * 4096)
    words = refused_start(coordinator)
    assert "SQLite finds damage in the event log" in words
    assert f"noonday audit --log {log}" in words


def test_a_change_in_what_a_start_no_longer_reads_is_told_by_the_audit_and_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = unconnected(tmp_path)
    folder = coordinator.made.config.parent
    monkeypatch.setattr("noonday_coordinator.store.folded.EVERY", 1)
    with closing(EventLog.open(folder / "data" / "events.sqlite")) as log:
        write(log, 1)
        kept = FoldedState(folder / "data" / "events.folded", SigningKey.load(folder / "coordinator.key"))
        kept.note(fold(log.read()), log.head)
        kept.close()
    with closing(sqlite3.connect(folder / "data" / "events.sqlite")) as raw, raw:
        raw.execute("UPDATE events SET by = 'nobody' WHERE seq = 3")
    try:
        coordinator.start()
        client = coordinator.client()
        assert [one.id for one in client.get("/rollouts", m.Rollouts).rollouts] == ["r1"]
        (told,) = [check for check in client.get("/doctor", m.Doctor).checks if check.name == "event-log"]
        assert (told.state, told.text) == ("fail", "Record 3 of the event log is not as it was written.")
        audit = client.get("/audit", m.AuditReply)
        assert (audit.whole, audit.broken) == (False, 3)
    finally:
        coordinator.kill()
