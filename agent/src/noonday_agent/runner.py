"""The runner of one app: takes assignments, executes one step at a time, journals before and after it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import get_ident
from typing import Protocol

from noonday_agent.core.after import about_to, after
from noonday_agent.core.hold import holds_out, let_in_again
from noonday_agent.core.journal import HOOKS, Attempt, Journal, Stage, Way
from noonday_agent.core.limits import Limits
from noonday_agent.core.reconcile import Facts, clock_set, must_ask, reconcile, recover
from noonday_agent.core.result import Done, Result
from noonday_agent.core.take import take
from noonday_agent.journal_file import JournalFile
from noonday_agent.parts import Releases
from noonday_agent.steps import Steps, delay_of
from noonday_shared.clock import Clock
from noonday_shared.crashpoint import crashpoint
from noonday_shared.errors import NoondayError
from noonday_shared.messages import Assignment, Outcome

IDLE = 30.0
"""Seconds between looks when there is nothing to do; an assignment wakes it at once."""

STRANDED_LOOK = 1.0
"""Seconds between looks at an app that is out and not well, for as long as that lasts."""

HOLD_LOOK = 2.0
"""Seconds between two looks whether a load balancer lets in what we hold out."""

CLOCK_SET = 5.0
"""Seconds; less is what a clock does that is kept right all the time."""

_log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Who has to know at once what the runner does to the app."""

    def restarting(self) -> None:
        """The app is about to be restarted."""

    def restarted(self, release: str) -> None:
        """It was, into the release with this id."""

    def arrived(self) -> None:
        """It was just seen healthy and in service."""


class AppRunner:
    """`offer` may be called from any thread, `turn` from one."""

    def __init__(
        self,
        *,
        host: str,
        app: str,
        steps: Steps,
        releases: Releases,
        file: JournalFile,
        limits: Limits,
        clock: Clock,
        changed: Callable[[], None],
        watcher: Watcher,
    ) -> None:
        """`changed` is called after each change of the journal. Raises `Permanent` when the journal can't be read."""
        self._host = host
        self._app = app
        self._steps = steps
        self._releases = releases
        self._file = file
        self._limits = limits
        self._clock = clock
        self._changed = changed
        self._watcher = watcher
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._leaving = threading.Event()
        self._hook_until = math.inf
        self._unsaved: tuple[Attempt, Result] | None = None
        """What was executed and is not journalled yet, since the disk refused."""
        self._between = clock.now() - clock.monotonic()
        self._hold_at = clock.monotonic()
        self._journal = file.load()
        attempt = self._journal.attempt
        has_hook = attempt is not None and steps.has_hook(attempt)
        self._keep(recover(self._journal, clock.now(), has_hook=has_hook))

    @property
    def journal(self) -> Journal:
        return self._journal

    def offer(self, assignment: Assignment) -> None:
        """Journal it; the work begins in the runner's own thread. Raises `BadInput` when it is refused."""
        with self._lock:
            self._keep(take(self._journal, assignment, host=self._host, now=self._clock.now()))
        crashpoint(f"agent:taken:{assignment.goal}")
        self._wake.set()

    def run(self) -> None:
        """End what an agent before this one left running, then turn until `leave`. A thread of its own."""
        self._end_leftovers()
        while not self._leaving.is_set():
            try:
                delay = self.turn()
            except NoondayError as error:
                _log.error("%s: %s", self._app, error)
                delay = 1.0
            except Exception:
                # The host must still reach a safe end: what could not be done now is tried again.
                _log.exception("%s: a step met an error of its own", self._app)
                delay = 1.0
            self._wake.wait(delay)
            self._wake.clear()

    def _end_leftovers(self) -> None:
        try:
            self._steps.end_leftovers()
        except Exception:
            # What is left of an agent before must not keep this one from its work.
            _log.exception("%s: what an agent before left running could not be looked for", self._app)

    def leave(self, *, hook_within: float) -> None:
        """Stop after the present step; the journal says where to go on. A hook that runs is ended after `hook_within`
        seconds: the journal then knows that, where one that outlives its agent leaves nothing but doubt."""
        self._hook_until = min(self._hook_until, self._clock.monotonic() + hook_within)
        self._leaving.set()
        self._wake.set()

    @property
    def in_hook(self) -> bool:
        attempt = self._journal.attempt
        return attempt is not None and attempt.stage in HOOKS and attempt.begun

    def turn(self) -> float:
        """One step, if there is one. Seconds until the next turn. Raises `Permanent` when the disk refuses the journal:
        what was done by then is not done again, only journalled again."""
        self._notice_clock()
        if self._unsaved is not None:
            return self._executed(*self._unsaved)
        if self._hold_out():
            with self._lock:
                self._keep(let_in_again(self._journal, self._clock.now()))
        before = self._journal
        facts = self._facts(before)
        with self._lock:
            if self._journal is not before:
                return 0.0  # an assignment came while the facts were asked for
            self._keep(reconcile(before, facts, self._clock.now()))
            attempt = self._journal.attempt
            if attempt is None:
                # What an operator wants since an attempt began has its turn once that has ended.
                return 0.0 if before.attempt is not None else IDLE
            self._keep(about_to(self._journal))
            journal = self._journal
        if attempt.stage is Stage.RESTART:
            self._watcher.restarting()
        crashpoint(f"agent:before:{attempt.way}:{attempt.stage}")
        cancelled = partial(self._cancelled, attempt, get_ident())
        result = self._steps.execute(journal, now=self._clock.now(), cancelled=cancelled)
        crashpoint(f"agent:after:{attempt.way}:{attempt.stage}")
        if self._leaving.is_set() and attempt.stage is Stage.PREPARE:
            return 0.0  # it was cut short by us, which says nothing of the release
        if attempt.stage is Stage.WAIT_IDLE:
            self._hold_at = self._clock.monotonic() + HOLD_LOOK  # it has just looked itself
        self._note(attempt, result)
        self._unsaved = (attempt, result)
        return self._executed(attempt, result)

    def _notice_clock(self) -> None:
        """Deadlines are kept as instants of a clock that may be set; this one never is."""
        between = self._clock.now() - self._clock.monotonic()
        by = between - self._between
        if abs(by) >= CLOCK_SET:
            with self._lock:
                self._keep(clock_set(self._journal, by))
            self._between = between

    def _executed(self, attempt: Attempt, result: Result) -> float:
        with self._lock:
            self._keep(after(self._journal, result, self._limits, self._clock.now()))
            self._unsaved = None
            arrived = self._journal.attempt is None
        if arrived:
            self._prune()
        if attempt.way is Way.STRANDED and not isinstance(result, Done):
            return max(delay_of(result), STRANDED_LOOK)
        return 0.0 if _moved(attempt, self._journal.attempt) else delay_of(result)

    def _facts(self, journal: Journal) -> Facts:
        """Not under the lock: a load balancer may take its time to answer."""
        live = self._releases.live()
        asked = must_ask(journal)
        with self._steps.lasting_until(lambda: self._journal is not journal):
            in_service = self._steps.in_service() if asked else None
            lets_in = in_service or (self._steps.lets_in() if asked else None)
        shown = live.id or (str(live.path) if live.path else "")
        return Facts(frozenset(self._releases.prepared()), shown, in_service, lets_in)

    def _hold_out(self) -> bool:
        """Whether a load balancer had let in what we hold out, and was told again. Looks every `HOLD_LOOK` seconds."""
        if not holds_out(self._journal) or self._clock.monotonic() < self._hold_at:
            return False
        with self._steps.lasting_until(self._turns_back):
            again = self._steps.hold_out()
        self._hold_at = self._clock.monotonic() + HOLD_LOOK
        if again:
            _log.warning("%s: a load balancer let the app in that is held out; it was told again", self._app)
        return again

    def _cancelled(self, attempt: Attempt, worker: int) -> bool:
        """Asked while a step takes its time, in which load balancers forget as at any other."""
        # Who watches a fetch asks from another thread: what that told a balancer could come after the step, to an app
        # that is let in again.
        if get_ident() == worker:
            self._hold_out()
        return self._superseded(attempt)

    def _superseded(self, attempt: Attempt) -> bool:
        assignment = self._journal.assignment
        if self._leaving.is_set() and attempt.stage is Stage.PREPARE:
            return True  # a fetch goes on where it stopped; a hook is finished first, since it is not run twice
        if attempt.stage in HOOKS and self._clock.monotonic() >= self._hook_until:
            return True
        return assignment is not None and (
            assignment.generation != attempt.generation and assignment.release != attempt.target
        )

    def _turns_back(self) -> bool:
        """Whether an attempt is about to be turned back: what it still waits for is not worth it."""
        attempt = self._journal.attempt
        return attempt is not None and attempt.way is Way.FORWARD and self._superseded(attempt)

    def _note(self, attempt: Attempt, result: Result) -> None:
        if isinstance(result, Done) and attempt.stage is Stage.RESTART:
            self._watcher.restarted(attempt.destination)
        if isinstance(result, Done) and attempt.stage is Stage.CONFIRM:
            self._watcher.arrived()

    def _prune(self) -> None:
        """Old releases go; what is live, was proven or is named as previous stays."""
        journal = self._journal
        if journal.outcome is not Outcome.DONE or journal.assignment is None or journal.assignment.restart_for:
            return  # with a restart the release that the rollout prepared here is not named, and still to come
        kept = {journal.proven, journal.assignment.release, journal.assignment.previous}
        try:
            self._releases.prune({one.id for one in kept if one is not None})
        except NoondayError as error:
            _log.warning("%s: %s", self._app, error)

    def _keep(self, journal: Journal) -> None:
        """On disk before it counts. What only changes while waiting (counts, passing troubles) is not worth a write."""
        if journal == self._journal:
            return
        if _lasting(journal) != _lasting(self._journal):
            self._file.save(journal)
        self._journal = journal
        self._changed()


def _lasting(journal: Journal) -> Journal:
    attempt = journal.attempt
    return replace(journal, attempt=replace(attempt, good=0, trouble=None) if attempt else None)


def _moved(before: Attempt, now: Attempt | None) -> bool:
    return now is None or (now.way, now.stage) != (before.way, before.stage)
