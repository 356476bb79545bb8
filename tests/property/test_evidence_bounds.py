"""Whatever an enrolled host signs and sends: it is refused with a reason or counted, and nothing else is harmed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.verdict.world import NEW, OLD, START, Knobs, make_world
from noonday_coordinator.core.state import App, Host, State
from noonday_coordinator.evidence_desk import EvidenceDesk
from noonday_coordinator.inbox import Useless, open_evidence
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.windows import WindowStore
from noonday_coordinator.verdict.judge import EvidenceJudge
from noonday_shared.envelope import SCHEMA, Wire, seal
from noonday_shared.errors import BadInput
from noonday_shared.keys import SigningKey
from noonday_shared.messages.latency import BUCKETS

KEY = SigningKey.new()
WORLD = make_world(Knobs(seed=1, kinds=6, hosts=3, history=120.0, length=10.0))
ROLLOUT = replace(WORLD.rollout, started_at=START)
HOSTS = {name: Host(name, {"role": "web"}, str(KEY.public)) for name in ROLLOUT.members}
STATE = State(
    hosts=HOSTS, apps={"web": App("web", current=OLD, active=ROLLOUT.id)}, rollouts={ROLLOUT.id: ROLLOUT}
)  # fmt: skip

ODD_NUMBERS = st.sampled_from([0, 1, -1, 2**31, 2**53, 2**63, 10**15, 1e15, 1e30, 1e308, -1e308, 0.5, 1e-300])
NOT_FINITE = st.sampled_from([math.nan, math.inf, -math.inf])
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["\0", "[red]", "x" * 5000, "5xx", "cpu_seconds", "requests"]))
SCALARS = st.one_of(st.none(), st.booleans(), ODD_NUMBERS, NOT_FINITE, TEXTS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
COUNT = st.integers(0, 10**15)
SANE: dict[str, st.SearchStrategy[Any]] = {
    "host": st.sampled_from(sorted(HOSTS)),
    "boot": st.integers(0, 3),
    "epoch": st.integers(0, 3),
    "seq": st.integers(0, 50),
    "release": st.sampled_from([OLD.id, NEW.id, "", "9.9.9-cafecafe"]),
    "since": st.sampled_from([0.0, START, START + 300, 4e9, 1e11]),
    "sent_at": st.sampled_from([0.0, START - 300, START, START + 300, 4e9, 1e11]),
    "counted_for": st.one_of(st.none(), st.floats(0, 1e11)),
    "requests": COUNT,
    "statuses": st.dictionaries(st.sampled_from(["2xx", "4xx", "5xx", "odd"]), COUNT, max_size=4),
    "counts": st.dictionaries(st.sampled_from("abcdef"), st.tuples(COUNT, COUNT), max_size=6),
    "templates": st.lists(
        st.fixed_dictionaries(
            {
                "key": st.sampled_from("abcdef"),
                "level": st.sampled_from(["ERROR", "INFO", "FATAL", "", "odd"]),
                "text": st.sampled_from(["", "<*>", "KeyError in pay", "x " * 900]),
                "first_seen": st.sampled_from([0.0, START, 1e11]),
            }
        ),
        max_size=3,
    ),
    "overflow": st.dictionaries(st.sampled_from(["ERROR", "NONE", "odd"]), COUNT, max_size=3),
    "latency": st.one_of(st.just([]), st.lists(COUNT, min_size=BUCKETS, max_size=BUCKETS)),
    "balancer": st.dictionaries(st.sampled_from(["requests", "errors", "5xx", "response_ms"]), COUNT, max_size=4),
    "started_at": st.sampled_from([0.0, START - 5, START + 300, 1e11]),
    "restarts": COUNT,
    "dropped": COUNT,
    "gauges": st.dictionaries(
        st.sampled_from(["cpu_seconds", "rss_bytes", "fds", "odd"]), st.floats(-1e30, 1e30), max_size=4
    ),
}
BASE = {"app": "web", "boot": 1, "epoch": 1, "seq": 1, "since": START, "sent_at": START}
MESSAGES = st.builds(lambda body: {**BASE, **body}, st.fixed_dictionaries({}, optional=SANE))
SPOILT = st.tuples(MESSAGES, st.sampled_from(sorted(SANE)), ANYTHING)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Raw(Wire):
    """A body that no model has checked."""

    body: Any

    def model_dump_json(self, **_: Any) -> str:
        return json.dumps(self.body)


def signed(body: object) -> bytes:
    return seal("evidence", Raw(body=body), KEY)


@contextmanager
def a_desk() -> Iterator[EvidenceDesk]:
    with (
        TemporaryDirectory() as folder,
        closing(WindowStore.open(Path(folder) / "windows.sqlite")) as windows,
        closing(CatalogueStore.open(Path(folder) / "catalogue.sqlite")) as catalogue,
    ):
        yield EvidenceDesk(windows, catalogue, EvidenceJudge(), START - 400)


@MANY
@given(st.lists(MESSAGES, min_size=1, max_size=12))
def test_numbers_within_the_bounds_never_stop_the_verdict(messages: list[dict[str, Any]]) -> None:
    with a_desk() as desk:
        for order, message in enumerate(messages):
            now = START + 5.0 * order
            desk.add(open_evidence(signed({"host": "web-1", **message, "seq": order}), HOSTS), now)
            found = desk.turn(STATE, now)[ROLLOUT.id]
            assert "error of its own" not in found.reason
            assert all(math.isfinite(one.e) and one.rate_here >= 0 for one in found.findings)
        assert desk.trouble == ""


@MANY
@given(SPOILT)
def test_what_is_spoilt_is_refused_with_a_reason_that_names_the_host_or_counted(spoilt: tuple[Any, str, Any]) -> None:
    message, field, value = spoilt
    body = {"host": "web-1", **message, field: value}
    refused = refusal(signed(body))
    if isinstance(refused, Useless):
        assert refused.host in HOSTS
        assert refused.host in refused.text
    elif refused is not None:
        assert str(body["host"]) not in HOSTS
    assert len(str(refused)) < 1000


def refusal(raw: bytes) -> BadInput | None:
    try:
        open_evidence(raw, HOSTS)
    except BadInput as error:
        return error
    return None


@MANY
@given(ANYTHING)
def test_anything_at_all_is_refused_in_words(body: object) -> None:
    with pytest.raises(BadInput):
        open_evidence(signed(body), HOSTS)
    with pytest.raises(BadInput):
        open_evidence(json.dumps({"schema": SCHEMA, "kind": "evidence", "body": body}).encode(), HOSTS)
