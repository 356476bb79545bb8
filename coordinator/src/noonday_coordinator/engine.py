"""The engine: one thread that folds facts, asks the core what follows, keeps it, and says it to the hosts."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace

from noonday_coordinator.backlog import Backlog
from noonday_coordinator.clock_watch import ClockWatch
from noonday_coordinator.core.clock_set import NOTICED, latest, view_moved
from noonday_coordinator.core.coming_home import Homecoming, plan_reconcile
from noonday_coordinator.core.commands import Command, Deploy
from noonday_coordinator.core.decide import decide
from noonday_coordinator.core.events import (
    Assigned,
    ClockSet,
    CoordinatorStarted,
    Event,
    HostEnrolled,
    HostJudged,
    HostRemoved,
    HostReported,
    Record,
    StageEntered,
)
from noonday_coordinator.core.evolve import evolve, fold
from noonday_coordinator.core.plan import Plan, plan_deploy
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import State
from noonday_coordinator.core.submit import submit
from noonday_coordinator.core.view import View
from noonday_coordinator.doubles import Doubles
from noonday_coordinator.evidence_desk import EvidenceDesk
from noonday_coordinator.inbox import Stranger, Useless, open_claim, open_evidence, open_snapshot, report_of
from noonday_coordinator.outgoing import Outgoing
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.folded import FoldedState
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.windows import WindowStore
from noonday_coordinator.verdict.judge import EvidenceJudge
from noonday_coordinator.verdict.protocol import Judge
from noonday_shared import topology
from noonday_shared.bus.protocol import Bus
from noonday_shared.clock import Clock
from noonday_shared.crashpoint import crashpoint
from noonday_shared.envelope import seal
from noonday_shared.errors import BadInput, NoondayError, Temporary
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Evidence, Snapshot
from noonday_shared.messages.assignment import KIND as ASSIGNMENT
from noonday_shared.names import ReleaseRef

TICK = 0.25
"""Seconds between looks at the clock when nothing arrives."""
ANSWER_WITHIN = 5.0
MOST_AT_ONCE = 500
"""Messages that are taken in before the engine looks at what follows from them."""
STOOD_STILL = 10.0
"""Seconds between two looks at the clock after which we were stopped, or the clock was set: what hosts said meanwhile
is still on its way."""
HEARING = 0.2
"""Seconds that this may take: one host that floods us with its logs must not keep the others' assignments waiting."""
PAGE = 5000
"""Records of the log that are in memory at once while they are folded."""
MOST_ROUNDS = 1000
"""Rounds of events in one go; more would be a rule that never comes to rest."""

_log = logging.getLogger(__name__)


class Engine:
    """`state`, `view` and the other public views are replaced whole, so any thread may read them."""

    def __init__(
        self,
        *,
        log: EventLog,
        windows: WindowStore,
        catalogue: CatalogueStore,
        bus: Bus,
        key: SigningKey,
        artifact_url: Callable[[str, ReleaseRef], str],
        clock: Clock,
        lines: LineBuffer,
        folded: FoldedState | None = None,
        judge: Judge | None = None,
    ) -> None:
        self._log = log
        self._bus = bus
        self._key = key
        self._clock = clock
        self._lines = lines
        self._watch = ClockWatch(clock)
        self._folded = folded
        self._desk = EvidenceDesk(windows, catalogue, judge or EvidenceJudge(), since=clock.now())
        self._doubles = Doubles()
        self._outgoing = Outgoing(artifact_url)
        self._backlog = Backlog()
        self._asked: deque[Callable[[], None]] = deque()
        self._wake = threading.Event()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.state = State()
        self._turned_at = 0.0
        self.view = View()
        self.trouble = ""
        self._refused = False
        """Whether the log could not be written when it was last tried."""
        self._warned = ""
        self.strangers: Mapping[str, float] = {}
        self.notices: Mapping[str, tuple[str, ...]] = {}
        self.snapshots: Mapping[str, Snapshot] = {}
        self.doubles: Mapping[str, str] = {}
        """By host, words on a second agent under its name."""

    def start(self) -> None:
        """Begin, and turn in a thread of its own. Raises what the log raises."""
        self.begin()
        self._thread.start()

    def begin(self) -> None:
        """Fold the log, take the next term, and listen; whoever calls this instead of `start` calls `turn` himself."""
        self.state = self._remembered()
        self._turned_at = self._clock.now()
        self.view = View(since=self._turned_at)
        behind = latest(self.state) - self._turned_at
        if behind >= NOTICED:
            self._keep([ClockSet(-behind)], "coordinator")
        self._keep([CoordinatorStarted(self.state.term + 1)], "coordinator")
        self._bus.declare_reports()
        for host in self.state.hosts:
            self._bus.declare_host(host)
        self._bus.consume(topology.STATE_QUEUE, lambda raw: self._hand_over(self._backlog.add_state, raw))
        self._bus.consume(topology.EVIDENCE_QUEUE, lambda raw: self._hand_over(self._backlog.add_evidence, raw))

    def close(self) -> None:
        self._leaving.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(ANSWER_WITHIN)
        if self._thread.is_alive():
            _log.warning(
                "The engine did not end its turn within %g s and is left: the next start goes on.", ANSWER_WITHIN
            )
        if self._folded is not None:
            self._folded.close()

    def _remembered(self) -> State:
        """What all facts add up to; of those that were folded before only the sum is read."""
        state, seq = self._folded.load(self._log.leads_to) if self._folded else (State(), 0)
        while records := self._log.read(seq, PAGE):
            state, seq = fold(records, state), records[-1].seq
        return state

    def submit(self, command: Command, by: str) -> tuple[Record, ...]:
        """The records that `command` led to. Raises `BadInput` for a refusal, `Temporary` after 5 s of silence."""
        try:
            return self.ask(command, by).result(ANSWER_WITHIN)
        except FutureTimeout as error:
            text = f"The engine did not answer within {ANSWER_WITHIN:g} s; whether it took the command is not known."
            raise Temporary(text, rule="engine-busy", next_action="noonday status, then try again") from error

    def ask(self, command: Command, by: str) -> Future[tuple[Record, ...]]:
        """As `submit`, without waiting: the answer is there after the next turn."""
        answer: Future[tuple[Record, ...]] = Future()
        self._asked.append(lambda: self._on_command(command, by, answer))
        self._wake.set()
        return answer

    def plan(self, command: Deploy) -> Plan:
        """Raises `BadInput` when there can't be one."""
        return plan_deploy(
            self.state,
            self.view,
            command.policy,
            command.version,
            now=self._clock.now(),
            allow_outage=command.allow_outage,
            supersede=command.supersede,
        )

    def plan_reconcile(self, policy: Policy) -> Homecoming:
        """Raises `BadInput` when nothing can be mended now."""
        return plan_reconcile(self.state, self.view, policy, now=self._clock.now())

    def _hand_over(self, keep: Callable[[bytes], None], raw: bytes) -> None:
        keep(raw)
        self._wake.set()

    def _run(self) -> None:
        while not self._leaving.is_set():
            self._wake.wait(TICK)
            self._wake.clear()
            try:
                self.turn()
            except NoondayError as error:
                if self.trouble != str(error):  # a full disk must not be filled by saying so
                    _log.error("%s", error)
                self.trouble = str(error)
            except Exception:
                # The engine must go on: what it could not do now follows from the state again at the next turn.
                self.trouble = "The engine met an error of its own; see the coordinator's log."
                _log.exception("The engine met an error of its own.")
            else:
                self.trouble = self._desk.trouble

    def turn(self) -> None:
        """Handle what arrived, do what follows, say what is due.

        Raises `Temporary` while the log can't be written: what arrives waits, and whoever asks is refused in words.
        """
        if self._refused:
            self._answer()
            self._log.probe()
            self._refused = False
        self._notice_clock()
        self._hear()
        now = self._clock.now()
        heard, judged = self._listening(now), self._desk.turn(self.state, now)
        self.view = replace(heard, judgements=judged, on_its_way=self._outgoing.on_its_way)
        self._note_hosts(now)
        for _ in range(MOST_ROUNDS):
            events = decide(self.state, self.view, now)
            if not events:
                break
            self._keep(events, "coordinator")
        for assignment in self._outgoing.due(self.state, self.view, now):
            if self._outgoing.in_vain(self.view, assignment):
                self._bus.declare_host(assignment.host)
            body = seal(ASSIGNMENT, assignment, self._key)
            slot = f"{assignment.host}/{assignment.app}"
            self._bus.publish("", topology.agent_queue(assignment.host), body, slot=slot)
            crashpoint(f"coordinator:said:{assignment.goal}")

    def _notice_clock(self) -> None:
        by = self._watch.set_by()
        if by:
            self._keep([ClockSet(by)], "coordinator")
            self._watch.accept(by)
            self._turned_at += by
            self.view = view_moved(self.view, by)
            self._outgoing.clock_set(by)

    def _hear(self) -> None:
        until = self._clock.monotonic() + HEARING
        for _ in range(MOST_AT_ONCE):
            self._answer()
            if (state := self._backlog.state()) is not None:
                self._on_state(state)
            elif (evidence := self._backlog.evidence()) is not None:
                self._on_evidence(evidence)
            else:
                return
            if self._clock.monotonic() >= until:
                break
        self._answer()
        if self._backlog:
            self._wake.set()

    def _listening(self, now: float) -> View:
        """The view; no wait for a host ends while nothing can be heard, and each gets its patience anew afterwards."""
        deaf, stood_still = not self._bus.hears, now - self._turned_at > STOOD_STILL
        self._turned_at = now
        if deaf:
            return replace(self.view, deaf=True)
        return self.view.back(now) if self.view.deaf or stood_still else self.view

    def _answer(self) -> None:
        """Whoever asks does not wait behind the messages that came while no coordinator ran: there may be thousands."""
        while self._asked:
            self._asked.popleft()()

    def _keep(self, events: Sequence[Event], by: str) -> tuple[Record, ...]:
        """On disk first, then folded: what is not kept did not happen."""
        try:
            records = self._log.append(events, at=self._clock.now(), by=by)
        except Temporary:
            # What hosts say can't be kept either, so none of them is late from now on.
            self._refused, self.view = True, replace(self.view, deaf=True)
            raise
        self._refused = False
        state = self.state
        for record in records:
            crashpoint(f"coordinator:kept:{_name(record.event)}")
            state = evolve(state, record)
        self.state = state
        if self._folded is not None:
            self._folded.note(state, self._log.head)
        return records

    def _on_command(self, command: Command, by: str, answer: Future[tuple[Record, ...]]) -> None:
        try:
            events = submit(self.state, self.view, command, now=self._clock.now(), by=by)
            records = self._keep(events, by) if events else ()
        except Exception as error:  # the caller waits for it, whatever it is
            answer.set_exception(error)
            return
        for event in events:
            match event:
                case HostEnrolled(host):
                    self._bus.declare_host(host)
                case HostRemoved(host):
                    self._bus.delete_host(host)
        answer.set_result(records)

    def _on_state(self, raw: bytes) -> None:
        now = self._clock.now()
        try:
            snapshot = open_snapshot(raw, self.state.hosts)
        except Stranger as stranger:
            self.strangers = {**self.strangers, stranger.host: now}
            return
        except BadInput as error:
            self._on_claim(raw, error, now)
            return
        if snapshot.order <= self._newest(snapshot.host):
            if snapshot.host in self.snapshots:
                self._doubles.outdated(snapshot, self.snapshots[snapshot.host], now)
            return
        self._doubles.heard(snapshot, now)
        self.snapshots = {**self.snapshots, snapshot.host: snapshot}
        self.view = replace(self.view, last_seen={**self.view.last_seen, snapshot.host: now})
        events = self._reported(snapshot)
        if events:
            self._keep(events, snapshot.host)

    def _on_claim(self, raw: bytes, no_state: BadInput, now: float) -> None:
        """What is no state may be the word of an agent that is kept out."""
        try:
            self._doubles.claimed(open_claim(raw, self.state.hosts), now)
        except BadInput:
            self._warn(str(no_state))

    def _newest(self, host: str) -> tuple[int, int]:
        """The order of the host's newest report; after a restart of ours the log remembers what was said last."""
        kept = (on_host.report for on_host in self.state.hosts[host].apps.values())
        orders = [(report.boot, report.seq) for report in kept if report is not None]
        known = self.snapshots.get(host)
        return max([*orders, known.order if known else (-1, -1)])

    def _reported(self, snapshot: Snapshot) -> list[Event]:
        events: list[Event] = []
        for app in snapshot.apps:
            report = report_of(snapshot, app)
            before = self.state.hosts[snapshot.host].app(app.app).report
            if before is None or replace(before, boot=report.boot, seq=report.seq) != report:
                events.append(HostReported(snapshot.host, app.app, report))
        return events

    def _on_evidence(self, raw: bytes) -> None:
        now = self._clock.now()
        try:
            evidence = open_evidence(raw, self.state.hosts)
        except Useless as error:
            self._desk.refuse(error.host, error.app if error.app in self.state.apps else "", error.text, now)
        except BadInput as error:
            self._warn(str(error))
        else:
            self._take(evidence, now)

    def _take(self, evidence: Evidence, now: float) -> None:
        if evidence.app not in self.state.apps:
            # An agent whose app still waits for its first release has nothing to tell, and says just that.
            if evidence.release:
                why = f"{evidence.host} tells of the app {evidence.app}, of which no release was ever pushed"
                self._desk.refuse(evidence.host, "", why, now)
        elif self._desk.add(evidence, now):
            self._lines.add(evidence)

    def _warn(self, words: str) -> None:
        """Once in a row: whoever sends rubbish sends a lot of it."""
        if words != self._warned:
            self._warned = words
            _log.warning("%s", words)

    def _note_hosts(self, now: float) -> None:
        """What hosts say of themselves, and what of their words is not taken in."""
        refused = self._desk.refusals(now)
        hosts = {*self.snapshots, *refused}
        said = {host: self.snapshots[host].notices if host in self.snapshots else () for host in hosts}
        notices = {host: (*said[host], *refused.get(host, ())) for host in sorted(hosts)}
        if notices != self.notices:
            self.notices = notices
        doubles = self._doubles.words(now)
        if doubles != self.doubles:
            self.doubles = doubles
            for words in doubles.values():
                _log.error("%s", words)


def _name(event: Event) -> str:
    """As in 'Promoted', 'StageEntered:examining', 'Assigned:serving'."""
    match event:
        case StageEntered(stage=more) | Assigned(goal=more) | HostJudged(state=more):
            return f"{type(event).__name__}:{more}"
        case _:
            return type(event).__name__
