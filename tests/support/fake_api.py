"""The coordinator's HTTP API with canned answers: what the command sees of it, without a coordinator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from pydantic import BaseModel

from noonday_coordinator.api import models as m
from noonday_coordinator.api import models_evidence as me
from noonday_shared.names import ReleaseRef
from noonday_shared.release import ReleaseManifest

TOKEN = "right-token"
NOW = 1_700_000_000.0
OLD = ReleaseRef(version="1.0.0", digest="a" * 64)
NEW = ReleaseRef(version="1.1.0", digest="b" * 64)

Answer = BaseModel | tuple[int, m.Problem] | Exception
Handler = Callable[[httpx.Request], Answer]


@dataclass
class FakeApi:
    """Answers by method and path; several answers to one are given in turn, the last one for ever."""

    answers: dict[tuple[str, str], list[Answer | Handler]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def on(self, method: str, path: str, *answers: Answer | Handler) -> FakeApi:
        self.answers[method, path] = list(answers)
        return self

    def rollout(self, *infos: m.RolloutInfo | Exception, events: Iterable[m.EventReply] = ()) -> FakeApi:
        """A rollout that is seen in these states, one after the other; `events` come with the first look."""
        first = next(info for info in infos if isinstance(info, m.RolloutInfo))
        every = tuple(events)

        def tell(request: httpx.Request) -> Answer:
            after = int(request.url.params["after"])
            fresh = tuple(event for event in every if event.seq > after)
            return m.Events(events=fresh, last=max([after, *(event.seq for event in fresh)]))

        return self.on("GET", f"/rollouts/{first.id}", *infos).on("GET", f"/rollouts/{first.id}/events", tell)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    @contextmanager
    def listening(self) -> Iterator[str]:
        """The same answers on a socket of loopback, for a real process; gives the URL."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._answer))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(m.PREFIX)
        self.calls.append((request.method, path))
        request.read()
        self.requests.append(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _problem(401, m.Problem(rule="wrong-token", text="Refused: the token is not known."))
        planned = self.answers.get((request.method, path))
        if not planned:
            return _problem(404, m.Problem(rule="no-such-app", text=f"There is nothing at {path}.", next_action="look"))
        answer = planned.pop(0) if len(planned) > 1 else planned[0]
        return _response(answer(request) if callable(answer) else answer)


def _handler(answer: Callable[[httpx.Request], httpx.Response]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _tell(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = dict(self.headers.items())
            reply = answer(httpx.Request(self.command, f"http://here{self.path}", headers=headers, content=body))
            self.send_response(reply.status_code)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_POST = do_DELETE = _tell  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    return Handler


def _response(answer: Answer) -> httpx.Response:
    match answer:
        case Exception():
            raise answer
        case BaseModel():
            return httpx.Response(200, content=answer.model_dump_json())
        case (status, problem):
            return _problem(status, problem)


def _problem(status: int, problem: m.Problem) -> httpx.Response:
    return httpx.Response(status, content=problem.model_dump_json())


def refusal(text: str, rule: str = "refused") -> tuple[int, m.Problem]:
    return 409, m.Problem(rule=rule, text=text, next_action="mend it")


def plan(**changes: object) -> m.PlanReply:
    known: dict[str, object] = {
        "app": "web",
        "release": NEW,
        "previous": OLD,
        "hosts": ("web-1", "web-2", "web-3"),
        "waves": (("web-1",), ("web-2", "web-3")),
        "limit": 1,
        "checks": ("health check on every host", "web-1 examined for 60 s and 200 requests"),
        "seconds": 105.0,
    }
    return m.PlanReply.model_validate(known | changes)


def host(name: str, wave: int, state: str, **report: object) -> m.HostInRollout:
    known: dict[str, object] = {"app": "web", "live": OLD.id, "in_service": True, "phase": "settled"}
    on_host = m.AppOnHost.model_validate(known | report)
    return m.HostInRollout(host=name, wave=wave, state=state, since=NOW, silent=1.0, report=on_host)


def info(**changes: object) -> m.RolloutInfo:
    """A rollout whose canary is examined, unless `changes` say otherwise."""
    known: dict[str, object] = {
        "id": "web-7",
        "app": "web",
        "kind": "deploy",
        "release": NEW,
        "previous": OLD,
        "by": "alice",
        "started_at": NOW - 60,
        "now": NOW,
        "stage": "examining",
        "stage_since": NOW - 18,
        "waves": (("web-1",), ("web-2", "web-3")),
        "hosts": (
            host("web-1", 0, "serving", live=NEW.id, seconds_out=3.2),
            host("web-2", 1, "prepared"),
            host("web-3", 1, "working", phase="draining", in_service=False),
        ),
        "requests": 152,
        "control_requests": 460,
        "least_requests": 200,
        "examine": m.Examine(started_at=NOW - 18, ends_at=NOW + 42, latest=NOW + 600),
        "waiting_for": "42 s more, and 48 more requests",
    }
    return m.RolloutInfo.model_validate(known | changes)


def ended(end: str, reason: str = "") -> m.RolloutInfo:
    return info(stage="ended", end=end, ended_at=NOW, reason=reason, examine=None, waiting_for="")


def event(seq: int, words: str, host: str = "") -> m.EventReply:
    return m.EventReply(seq=seq, at=NOW + seq, by="engine", kind="StageEntered", words=words, host=host)


def finding(kind: str, words: str, *, blames: bool = False, **more: object) -> m.FindingReply:
    known = {"key": words[:8], "kind": kind, "blames": blames, "words": words}
    return m.FindingReply.model_validate(known | more)


def caveat(**changes: object) -> me.CaveatReply:
    known: dict[str, object] = {
        "key": "0a1b", "status": "accepted", "level": "ERROR", "text": "Timeout of <*>", "rate": 0.05, "per": "request",
        "by": "alice", "why": "the supplier is slow", "at": NOW, "first_seen": NOW - 900, "last_seen": NOW - 9,
        "episodes": 40, "releases": (OLD.id,),
    }  # fmt: skip
    return me.CaveatReply.model_validate(known | changes)


def comparison(**changes: object) -> me.Comparison:
    """Two sides, of which the canary is the worse."""
    old = me.Side(
        hosts=("web-2", "web-3"), seconds=1200.0, requests=1800, statuses={"5xx": 2}, failed=2 / 1800, errors=40,
        error_rate=0.02, p50=0.08, p95=0.2, p99=0.9, cpu_per_request=0.004, rss=2e8,
        balancer={"requests": 1805, "5xx": 2, "response_ms": 180_500},
    )  # fmt: skip
    new = old.model_copy(
        update={"hosts": ("web-1",), "requests": 600, "statuses": {"5xx": 60}, "failed": 0.1, "p99": 65.536,
                "restarts": 1, "balancer": {"requests": 601, "5xx": 61, "response_ms": 120_200}}
    )  # fmt: skip
    change = me.Change(
        key="0a1b", level="ERROR", text="KeyError in <*>", known=False, here=31, there=0, rate_here=0.052, rate_there=0
    )
    known: dict[str, object] = {
        "rollout": "web-7", "app": "web", "release": NEW, "previous": OLD, "since": NOW - 600, "until": NOW,
        "canary": new, "controls": old, "before": me.Side(), "changes": (change,),
    }  # fmt: skip
    return me.Comparison.model_validate(known | changes)


def release(**changes: object) -> m.ReleaseInfo:
    known: dict[str, object] = {
        "app": "web",
        "version": "1.1.0",
        "digest": NEW.digest,
        "id": NEW.id,
        "size": 123_456,
        "pushed_at": NOW,
        "pushed_by": "alice",
        "manifest": ReleaseManifest(app="web", version="1.1.0"),
    }
    return m.ReleaseInfo.model_validate(known | changes)


def full_api() -> FakeApi:
    """One good answer for every command."""
    done = m.Done(words="It was done.")
    ref = "/apps/web/releases"
    api = FakeApi().rollout(ended("done"))
    for verb in ("promote", "abort", "pause", "resume"):
        api.on("POST", f"/apps/web/{verb}", done)
    for verb in ("drain", "undrain"):
        api.on("POST", f"/hosts/web-1/{verb}", done)
    started = m.Started(rollout="web-7", words="Rollout web-7 began.")
    lines = (m.LogLineReply(seq=1, at=NOW, host="web-1", release=OLD.id, text="ERROR [db] gone \x1b[2J"),)
    app = m.AppStatus(app="web", current=OLD, hosts_in=("web-1",), hosts_out=("web-2",), waiting_for="more requests")
    status = m.Status(version="0.1.0", term=3, now=NOW, since=NOW, broker=m.BrokerStatus(connected=True), apps=(app,))
    on_host = m.AppOnHost(app="web", live=OLD.id, in_service=True, healthy=True, phase="settled")
    known = m.HostInfo(host="web-1", labels={"role": "web"}, last_seen=NOW, silent=1.0, apps=(on_host,))
    hosts = m.Hosts(now=NOW, hosts=(known,), strangers=(m.Stranger(host="odd-1", last_seen=NOW - 4),))
    check = m.Check(name="broker", state="ok", text="connected")
    return (
        api.on("POST", "/apps/web/plan", plan())
        .on("POST", "/apps/web/rollouts", started)
        .on("POST", "/apps/web/rollback", started)
        .on("GET", "/status", status)
        .on("GET", "/hosts", hosts)
        .on("POST", "/hosts", m.Enrolled(host="web-1", agent_toml='host = "web-1"', host_key="c2VlZA=="))
        .on("DELETE", "/hosts/web-1", done)
        .on("GET", ref, m.Releases(app="web", releases=(release(),)))
        .on("POST", ref, m.Pushed(app="web", version="1.1.0", digest=NEW.digest, new=True, words="Pushed."))
        .on("GET", f"{ref}/1.1.0", release())
        .on("POST", f"{ref}/1.1.0/unblock", done)
        .on("GET", "/apps/web/findings", m.Findings(app="web", rollout="web-7", release=NEW, requests=200))
        .on("GET", "/rollouts/web-7/findings", m.Findings(app="web", rollout="web-7", release=NEW, requests=200))
        .on("GET", "/rollouts", m.Rollouts(rollouts=(ended("done"),)))
        .on("GET", "/apps/web/caveats", me.Caveats(app="web", caveats=(caveat(),), known=2))
        .on("POST", "/apps/web/caveats/0a1b/accept", done)
        .on("POST", "/apps/web/caveats/0a1b/mute", done)
        .on("POST", "/apps/web/caveats/0a1b/forget", done)
        .on("GET", "/rollouts/web-7/compare", comparison())
        .on("GET", "/apps/web/logs", m.Logs(app="web", lines=lines, last=1))
        .on("GET", "/history", m.Events(events=(event(1, "Rollout web-7 began."),), last=1))
        .on("GET", "/doctor", m.Doctor(worst="ok", checks=(check,)))
    )
