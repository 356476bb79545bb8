"""Record what this version writes, for every later one to read: `python -m tests.record_release`, at each release.

Into tests/contract/recorded/, under this version's name: `log-V.sql`, an event log with every kind of event;
`log-V.json`, what it adds up to; `messages-V.json`, sealed messages with the public keys that they are checked with.
What is there already stays as it is, but with `--again`: right while this version is not released yet.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from noonday_coordinator.core import events as e
from noonday_coordinator.core.evolve import fold
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.store.event_log import EventLog
from noonday_shared.envelope import seal
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Assignment, Evidence, Goal, Outcome, Phase, Snapshot, TroubleReport
from noonday_shared.messages.assignment import KIND as ASSIGNMENT
from noonday_shared.messages.evidence import KIND as EVIDENCE
from noonday_shared.messages.evidence import LogLine, Template
from noonday_shared.messages.latency import BUCKETS
from noonday_shared.messages.snapshot import KIND as STATE
from noonday_shared.messages.snapshot import AppSnapshot
from noonday_shared.names import ReleaseRef
from noonday_shared.release import KIND as RELEASE
from noonday_shared.release import HookFiles, ReleaseManifest, SignedRelease

FOLDER = Path(__file__).parent / "contract" / "recorded"
START = 1_780_000_000.0
OLD, NEW, BAD = (
    ReleaseRef(version=version, digest=digit * 64)
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b"), ("1.2.0", "c"))
)
HOSTS = ("web-1", "web-2", "web-3")
POLICY = Policy(app="web", hosts={"role": "web"}, gates=("canary", 1), waves=("50%", 2), on_regression="ask")
MANIFEST = ReleaseManifest(app="web", version="1.1.0", hooks=HookFiles(pre_activate="hooks/pre"))
FINDING = e.Finding(
    key="3f6c1b2a9d04e5f7", kind="new-error", blames=True, words="ERROR new with 1.2.0: 31 requests on web-1",
    level="ERROR", text="KeyError in shop/pay.py charge", counts={"web-1": 31}, first_seen=START,
    samples=("KeyError: 'price' \u2028 €",), unit="template:3f6c1b2a9d04e5f7", e=28_000.5, rate_here=0.075,
    rate_there=0.0, nearest="KeyError in shop/cart.py total", holds=True, per="request", a_second=0.31, excuse="",
)  # fmt: skip


def main() -> int:
    name = version("noonday-coordinator")
    made = {f"log-{name}.sql": log_as_sql(list(story())), f"messages-{name}.json": _json(messages())}
    made[f"log-{name}.json"] = _json(summary(list(_records(story()))))
    FOLDER.mkdir(exist_ok=True)
    for file, text in made.items():
        if (FOLDER / file).exists() and "--again" not in sys.argv[1:]:
            print(f"{file} is there already, and stays as it is.", file=sys.stderr)
            continue
        (FOLDER / file).write_text(text)
        print(f"Recorded {FOLDER / file}.")
    return 0


def story() -> Iterator[tuple[str, e.Event]]:
    """By whom, and what: a history that holds every kind of event and can be folded."""
    yield "coordinator", e.CoordinatorStarted(1)
    for host in HOSTS:
        yield "admin", e.HostEnrolled(host, {"role": "web", "zone": "a"}, str(_key(host).public))
        yield host, e.HostReported(host, "web", _report(OLD, Outcome.NONE))
    for release in (OLD, NEW, BAD):
        manifest = MANIFEST.model_copy(update={"version": release.version})
        yield "ci", e.ReleasePushed("web", release, 4096, manifest)
    yield from _first("r1")
    yield from _gone_back("r2")
    yield from _homecoming("r3")
    yield "alice", e.ReleaseUnblocked("web", BAD, "the database was full")
    yield from _rolled_back_by_hand("r4")
    yield "alice", e.HostDrained("web-3")
    yield "alice", e.HostUndrained("web-3")
    yield "bob", e.CaveatForgotten("web", "gauge:rss_bytes", "mended", "", "")
    yield "bob", e.LogsWatched("web", START + 5000)
    yield "coordinator", e.ReleasePruned("web", BAD)
    yield "admin", e.HostRemoved("web-3")
    yield "coordinator", e.ClockSet(-7200.0)
    yield "restore", e.LogRestored(START + 6000, 1_780_006_000, 1_780_006_000_000)
    yield "coordinator", e.CoordinatorStarted(1_780_006_001)


def _first(name: str) -> Iterator[tuple[str, e.Event]]:
    yield "alice", e.RolloutStarted(name, "web", "deploy", OLD, None, POLICY, (HOSTS,))
    yield "coordinator", e.StageEntered(name, e.Stage.PREPARING, 0, "every host fetches", START + 600)
    yield "coordinator", e.RolloutEnded(name, e.End.DONE, "All 3 hosts serve 1.0.0.")


def _gone_back(name: str) -> Iterator[tuple[str, e.Event]]:
    """A canary with a twin, a question, a caveat, a verdict, and the way back."""
    waves = (("web-1",), ("web-2",))
    yield (
        "ci",
        e.RolloutStarted(
            name,
            "web",
            "deploy",
            NEW,
            OLD,
            POLICY,
            waves,
            {"web-3": "not heard"},
            ("web-3",),
            ("web-2",),
            {"web-1": BAD},
        ),
    )
    yield "coordinator", e.StageEntered(name, e.Stage.ROLLING, 0, "all hosts are prepared")
    yield "coordinator", e.Assigned("web-2", "web", 1, Goal.SERVING, OLD, None, name, 60.0, True, name)
    yield "coordinator", e.Assigned("web-1", "web", 2, Goal.SERVING, NEW, OLD, name, 60.0, True)
    yield "coordinator", e.HostJudged(name, "web-1", "working")
    yield "web-1", e.HostReported("web-1", "web", _report(NEW, Outcome.DONE))
    yield "coordinator", e.HostJudged(name, "web-1", "serving")
    yield "coordinator", e.StageEntered(name, e.Stage.EXAMINING, 0, "compared", START + 1600)
    yield "bob", e.CaveatMarked("web", "gauge:rss_bytes", "muted", "the price list", 0.5, "", 7, "", "rss", name)
    yield "bob", e.Paused(name)
    yield "bob", e.Resumed(name)
    yield "coordinator", e.Asked(name, "Memory rises. Answer: noonday promote web", True)
    yield "bob", e.Promoted(name)
    yield "coordinator", e.VerdictReached(name, "roll back", "a new error", 412, (FINDING,), START + 1500, 1236)
    yield "coordinator", e.StageEntered(name, e.Stage.ROLLING_BACK, 0, "a new error")
    yield "alice", e.AbortRequested(name, "lunch")
    failed = TroubleReport(rule="unhealthy", step="warm-up", text="GET /: 503.", next_action="see the app's log")
    yield "web-1", e.HostReported("web-1", "web", _report(OLD, Outcome.REVERTED, failed))
    yield "coordinator", e.HostJudged(name, "web-1", "back")
    yield "coordinator", e.RolloutEnded(name, e.End.ROLLED_BACK, "a new error")


def _homecoming(name: str) -> Iterator[tuple[str, e.Event]]:
    yield "coordinator", e.RolloutStarted(name, "web", "reconcile", OLD, None, POLICY, (("web-3",),), {}, ("web-1",))
    yield "coordinator", e.RolloutEnded(name, e.End.SUPERSEDED, "a newer version took over")


def _rolled_back_by_hand(name: str) -> Iterator[tuple[str, e.Event]]:
    yield "alice", e.RolloutStarted(name, "web", "deploy", BAD, OLD, POLICY, (HOSTS,))
    yield "alice", e.RollbackRequested(name, "orders are slow")
    yield "coordinator", e.RolloutEnded(name, e.End.FAILED, "web-2 could not be brought back")


def _report(live: ReleaseRef, outcome: Outcome, trouble: TroubleReport | None = None) -> e.Report:
    return e.Report(
        boot=7, seq=9, term=1, generation=2, outcome=outcome, phase=Phase.SETTLED, step="", going_back=False,
        live=live.id, proven=live, prepared=(OLD.id, NEW.id), in_service=True, healthy=True, restarts=1,
        trouble=trouble, seconds_out=1.5, timings={"drain": 0.5},
    )  # fmt: skip


def messages() -> dict[str, dict[str, Any]]:
    """By kind: sealed messages of this version, and the public key that they are checked with."""
    common: dict[str, Any] = {"app": "web", "host": "web-1", "term": 3, "issued_at": START, "expires_at": START + 900}
    assignments = [
        Assignment(**common, generation=4, goal=Goal.PREPARED, release=NEW, previous=OLD, source="http://h/a.tar.gz"),
        Assignment(
            **common, generation=5, goal=Goal.SERVING, release=NEW, previous=OLD, source="http://h/a.tar.gz",
            rollout="r2", restart_for="r2", deadline=60.0, observe=True, watch_until=START + 30,
        ),
        Assignment(**common, generation=6, goal=Goal.OUT),
    ]  # fmt: skip
    signed = SignedRelease(app="web", version="1.1.0", digest="b" * 64, size=4096, unpacked=9000, manifest=MANIFEST)
    return {
        ASSIGNMENT: _sealed(ASSIGNMENT, "coordinator", *assignments),
        STATE: _sealed(STATE, "web-1", _snapshot()),
        EVIDENCE: _sealed(EVIDENCE, "web-1", _evidence()),
        RELEASE: _sealed(RELEASE, "release", signed),
    }


def _snapshot() -> Snapshot:
    app = AppSnapshot(
        app="web", term=3, generation=5, goal=Goal.SERVING, outcome=Outcome.WORKING, going_back=True,
        phase=Phase.WARMING_UP, step="warm-up", step_since=START, step_deadline=START + 60, live=NEW.id, proven=OLD,
        prepared=(OLD.id, NEW.id), in_service=False, balancers={"haproxy": "drain"}, healthy=False, restarts=2,
        trouble=TroubleReport(rule="unhealthy", step="warm-up", text="GET /: 503.", next_action="see its log"),
        timings={"drain": 0.5}, seconds_out=4.2,
    )  # fmt: skip
    return Snapshot(
        host="web-1", boot=7, seq=12, sent_at=START, agent_version="0.1.0", apps=(app,), load_1m=0.5, disk_free=1 << 33,
        notices=("A second agent reports under this name.",),
    )  # fmt: skip


def _evidence() -> Evidence:
    template = Template(
        key="3f6c1b2a9d04e5f7", level="ERROR", logger="shop.pay", text="KeyError in <*>", first_seen=START,
        samples=("KeyError: 'price'",),
    )  # fmt: skip
    return Evidence(
        host="web-1", app="web", boot=7, epoch=2, seq=40, release=NEW.id, since=START, sent_at=START + 60,
        counted_for=60.0, requests=412, statuses={"2xx": 400, "5xx": 12}, records=31, counts={template.key: (31, 31)},
        templates=(template,), overflow={"INFO": 3}, latency=(1,) * BUCKETS, balancer={"requests": 412},
        started_at=START, restarts=1, dropped=5, gauges={"rss_bytes": 2e8},
        lines=(LogLine(at=START, release=NEW.id, text="GET / 200", key=""),),
    )  # fmt: skip


def _sealed(kind: str, signer: str, *bodies: BaseModel) -> dict[str, Any]:
    key = _key(signer)
    return {"public_key": str(key.public), "sealed": [seal(kind, body, key).decode() for body in bodies]}


def _key(name: str) -> SigningKey:
    return _KEYS.setdefault(name, SigningKey.new())


_KEYS: dict[str, SigningKey] = {}


def _records(told: Iterator[tuple[str, e.Event]]) -> Iterator[e.Record]:
    for number, (by, event) in enumerate(told, 1):
        yield e.Record(number, START + number, by, event)


def log_as_sql(told: list[tuple[str, e.Event]]) -> str:
    """An event log that holds these, as the statements that make it again."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "events.sqlite"
        with closing(EventLog.open(path)) as log:
            for number, (by, event) in enumerate(told, 1):
                log.append([event], at=START + number, by=by)
        with closing(sqlite3.connect(path)) as raw:
            schema = raw.execute("PRAGMA user_version").fetchone()[0]
            return "\n".join([*raw.iterdump(), f"PRAGMA user_version = {schema};"]) + "\n"


def summary(records: list[e.Record]) -> dict[str, Any]:
    """What a log adds up to, as far as a later version must see it the same."""
    state = fold(records)
    verdicts = {one.event.rollout: one.event for one in records if isinstance(one.event, e.VerdictReached)}
    return {
        "term": state.term,
        "generation": state.generation,
        "hosts": {name: sorted(host.apps) for name, host in sorted(state.hosts.items())},
        "apps": {
            name: {
                "current": str(app.current),
                "previous": str(app.previous),
                "good": sorted(one.ref.id for one in app.releases.values() if one.good),
                "blocked": sorted(one.ref.id for one in app.releases.values() if one.blocked),
                "caveats": sorted(app.caveats),
            }
            for name, app in sorted(state.apps.items())
        },
        "rollouts": {
            one.id: {
                "end": one.end.value if one.end else None,
                "reason": one.reason,
                "verdict": one.verdict,
                "findings": [found.words for found in verdicts[one.id].findings] if one.id in verdicts else [],
                "hosts": {name: member.state.value for name, member in sorted(one.hosts.items())},
            }
            for one in state.rollouts.values()
        },
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(main())
