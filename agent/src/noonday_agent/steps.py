"""The steps: each looks at the world before it changes it, so that doing it again after a crash is safe."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from noonday_agent.config import App
from noonday_agent.core.journal import HOOKS, Attempt, Journal, Stage, Way
from noonday_agent.core.result import Again, Done, Failed, Result, Unreachable, Wrong
from noonday_agent.hooks import HookCall
from noonday_agent.parts import Parts
from noonday_agent.probes.proof import Proof, Seen, confirm
from noonday_shared.errors import BadInput, NoondayError, Temporary, Trouble
from noonday_shared.release.manifest import ReleaseManifest

LOOK = 0.02
"""Seconds between two looks at something that others change."""
PROBE = 0.05
"""Seconds between two questions to the app or to a load balancer."""


_BESIDE_A_RESTART = (Stage.PREPARE, Stage.DRAIN, Stage.WAIT_IDLE)
"""What may be done while a restart still goes on that an agent before this one ordered: it changes nothing of the app,
and keeps requests from it."""


class Steps:
    """Executes one stage of one app. Blocks as long as the stage's own parts do. Never raises a `NoondayError`."""

    def __init__(self, host: str, app: str, settings: App, parts: Parts) -> None:
        self._host = host
        self._app = app
        self._settings = settings
        self._parts = parts

    def execute(self, journal: Journal, *, now: float, cancelled: Callable[[], bool]) -> Result:
        """`cancelled`: whether the time of what may be cut short is over: a fetch, a hook, and on the way forward the
        wait for a restart and for load balancers. It is asked again and again meanwhile, by the thread that called
        this."""
        attempt = journal.attempt
        if attempt is None:
            raise ValueError("there is no attempt to execute a stage of")
        # Every other way leads to a release that is as good as any, so turning back would only begin it anew.
        over = cancelled if attempt.way is Way.FORWARD else _never
        try:
            with self._parts.patience.lasting_until(over):
                if attempt.stage not in _BESIDE_A_RESTART:
                    self._parts.process.let_end(self._settings.restart_within)
                return self._execute(journal, attempt, now=now, cancelled=cancelled)
        except NoondayError as error:
            return self._failure(attempt, error)

    def in_service(self) -> bool | None:
        """Whether all load balancers send requests; None when one of them can't be asked. Blocks as long as they do."""
        try:
            return self._parts.pool.in_service()
        except NoondayError:
            return None

    def lets_in(self) -> bool | None:
        """Whether one of them does; else as `in_service`."""
        try:
            return self._parts.pool.lets_in()
        except NoondayError:
            return None

    def hold_out(self) -> bool:
        """As `Pool.hold_out`. Blocks as long as load balancers do."""
        return self._parts.pool.hold_out()

    def lasting_until(self, over: Callable[[], bool]) -> AbstractContextManager[None]:
        """Inside the block what load balancers are asked and told is given up as soon as `over` says so."""
        return self._parts.patience.lasting_until(over)

    def end_leftovers(self) -> None:
        """As `Parts.end_leftovers`: before the first step of an agent, whatever its journal says."""
        self._parts.end_leftovers()

    def has_hook(self, attempt: Attempt) -> bool:
        """Whether the present stage is a hook, and the release has it."""
        return self._hook_file(attempt) is not None

    def _execute(self, journal: Journal, attempt: Attempt, *, now: float, cancelled: Callable[[], bool]) -> Result:
        match attempt.stage:
            case Stage.PREPARE:
                return self._prepare(journal, attempt, now, cancelled)
            case Stage.PRE_ACTIVATE | Stage.POST_ACTIVATE | Stage.POST_RETURN:
                return self._hook(journal, attempt, cancelled)
            case Stage.DRAIN:
                return self._drain(attempt)
            case Stage.WAIT_IDLE:
                return self._wait_idle()
            case Stage.SWITCH:
                return self._switch(attempt)
            case Stage.RESTART:
                return self._restart(attempt)
            case Stage.PROVE:
                return self._prove(attempt)
            case Stage.WARM_UP:
                return self._warm_up(attempt)
            case Stage.RETURN:
                self._parts.pool.put_back()
                return Done()
            case Stage.CONFIRM:
                return self._confirm()

    def _failure(self, attempt: Attempt, error: NoondayError) -> Result:
        trouble = Trouble.of(error, attempt.stage)
        at_balancer = attempt.stage in (Stage.WAIT_IDLE, Stage.RETURN, Stage.CONFIRM)
        if at_balancer and isinstance(error, Temporary):
            return Unreachable(trouble)
        if attempt.stage in (Stage.PROVE, Stage.WARM_UP) and isinstance(error, Temporary):
            return Again(PROBE, trouble)
        return Failed(trouble, changed=attempt.stage is not Stage.SWITCH or self._switched_before(attempt))

    def _switched_before(self, attempt: Attempt) -> bool:
        """Whether this attempt was here before: since then an agent started anew, or a balancer had let the app in."""
        there = self._parts.releases.live().id == attempt.destination
        return attempt.perhaps_restarted or (attempt.way is Way.FORWARD and there and not attempt.adopted)

    def _prepare(self, journal: Journal, attempt: Attempt, now: float, cancelled: Callable[[], bool]) -> Result:
        assignment = journal.assignment
        if assignment is None or attempt.target is None:
            raise BadInput("There is nothing to prepare.", rule="no-release", next_action="deploy again")
        left = max(attempt.started_at + assignment.deadline - now, 1.0)
        self._parts.releases.prepare(self._app, attempt.target, assignment.source, within=left, cancelled=cancelled)
        return Done()

    def _hook(self, journal: Journal, attempt: Attempt, cancelled: Callable[[], bool]) -> Result:
        target, file = attempt.target, self._hook_file(attempt)
        if file is None or target is None:
            return Done()
        assignment = journal.assignment
        call = HookCall(
            hook=attempt.stage.value.replace("-", "_"),
            file=file,
            app=self._app,
            host=self._host,
            rollout=assignment.rollout if assignment else "",
            release_dir=self._folder(attempt.destination),
            release=target,
            previous=journal.proven,
            cancelled=cancelled,
        )
        self._parts.run_hook(call)
        return Done()

    def _hook_file(self, attempt: Attempt) -> str | None:
        manifest = self._manifest(attempt.destination)
        if manifest is None or attempt.stage not in HOOKS:
            return None
        file: str | None = getattr(manifest.hooks, attempt.stage.value.replace("-", "_"))
        return file

    def _drain(self, attempt: Attempt) -> Result:
        hindrances = self._hindrances(attempt)
        if hindrances:
            return Failed(Trouble.of(hindrances[0], attempt.stage), changed=attempt.trouble is not None)
        pool = self._parts.pool
        try:
            pool.take_out()
        except Temporary as error:
            return Unreachable(Trouble.of(error, attempt.stage), others_out=attempt.told and pool.out_where_known())
        return Done()

    def _hindrances(self, attempt: Attempt) -> tuple[NoondayError, ...]:
        """What would stop the attempt in its middle, asked before its first change."""
        if attempt.out_since or (attempt.way is Way.LEAVE and attempt.was_out):
            return ()  # it was drained before, or may have been
        if attempt.way is Way.FORWARD:
            try:
                self._parts.releases.check()
            except NoondayError as error:
                return (error,)
        return self._parts.pool.problems() if attempt.way in (Way.FORWARD, Way.RENEW, Way.LEAVE) else ()

    def _wait_idle(self) -> Result:
        pool = self._parts.pool
        if pool.idle():
            return Done()
        pool.hold_out()  # where a balancer forgot, as after a reload of its configuration
        words = ", ".join(f"{name}: {state}" for name, state in pool.states().items())
        return Again(PROBE, Trouble("busy", Stage.WAIT_IDLE, f"Requests are still under way ({words})."))

    def _switch(self, attempt: Attempt) -> Result:
        processes = self._running(attempt)
        if isinstance(processes, Again):
            return processes
        self._parts.releases.switch(attempt.destination)
        return Done(() if attempt.perhaps_restarted else tuple(sorted(processes)))

    def _restart(self, attempt: Attempt) -> Result:
        to_be_seen = self._parts.process.let_end(self._settings.restart_within)
        running = self._running(attempt)
        if isinstance(running, Again):
            return running
        if attempt.perhaps_restarted and running and not running & frozenset(attempt.before_restart):
            return Done()  # it was restarted before the agent died
        if attempt.perhaps_restarted and to_be_seen > 0:
            text = "The restart that was ordered before this agent started has shown no new process yet."
            look = f"nothing: {self._parts.process.name} is run again once restart_within is over"
            return Again(PROBE, Trouble("restart-unseen", Stage.RESTART, text, look))
        self._parts.process.restart(self._settings.restart_within)
        return Done()

    def _running(self, attempt: Attempt) -> Seen | Again:
        """Asked before the change. On the way back a manager that can't be asked is waited for, since there is no other
        way; on the way forward that raises, and nothing was changed."""
        try:
            return self._parts.prover.seen(self._parts.process.pid())
        except Temporary as error:
            if attempt.way in (Way.BACK, Way.STRANDED):
                return Again(PROBE, Trouble.of(error, attempt.stage))
            raise

    def _prove(self, attempt: Attempt) -> Result:
        proof = self._proof(attempt)
        if proof.ok:
            return Done()
        if proof.ok is False:
            return Wrong(_old_code(Stage.PROVE, proof))
        fix = "let the app start in its release folder, or name a version_endpoint in release.toml"
        return Again(LOOK, Trouble("not-proven", Stage.PROVE, proof.reason, fix))

    def _proof(self, attempt: Attempt) -> Proof:
        parts = self._parts
        pid = parts.process.pid()
        if pid is None:
            return Proof(None, f"{parts.process.name} shows no running process ({parts.process.state()}).")
        manifest = self._manifest(attempt.destination)
        answer = None
        if manifest is not None and manifest.version_endpoint is not None:
            # Asked first: it costs nothing while the app still starts, and looking at processes takes time from it.
            answer = parts.probe.version(manifest.version_endpoint, self._settings.health.timeout)
            if answer.version is None:
                return Proof(None, answer.text)
        release_dir = self._folder(attempt.destination)
        proof = parts.prover.prove(pid, release_dir=release_dir, not_before=frozenset(attempt.before_restart))
        if answer is None or manifest is None:
            return proof
        return confirm(proof, wanted=manifest.version, answer=answer)

    def _warm_up(self, attempt: Attempt) -> Result:
        manifest = self._manifest(attempt.destination)
        path = (manifest.health if manifest else None) or self._settings.health.path
        answer = self._parts.probe.health(path, self._settings.health.timeout)
        if not answer.ok:
            return Again(PROBE, Trouble("unhealthy", Stage.WARM_UP, answer.text, "noonday logs"))
        if attempt.good + 1 >= self._settings.health.successes:
            # Only now are all of its processes there: what answers well must be what was proven.
            proof = self._proof(attempt)
            if proof.ok is False:
                return Wrong(_old_code(Stage.WARM_UP, proof))
        return Again(LOOK, good=True)

    def _confirm(self) -> Result:
        pool = self._parts.pool
        if pool.in_service():
            return Done()
        words = ", ".join(f"{name}: {state}" for name, state in pool.states().items())
        return Again(
            PROBE, Trouble("not-up", Stage.CONFIRM, f"The load balancer says {words}.", "see its health check")
        )

    def _folder(self, destination: str) -> Path:
        return Path(destination) if destination.startswith("/") else self._parts.releases.folder(destination)

    def _manifest(self, destination: str) -> ReleaseManifest | None:
        """None for a folder that Noonday did not unpack."""
        try:
            return self._parts.releases.manifest(destination).manifest
        except NoondayError:
            return None


def _old_code(stage: Stage, proof: Proof) -> Trouble:
    return Trouble("old-code-runs", stage, proof.reason, "see how the release's app is started")


def _never() -> bool:
    return False


def delay_of(result: Result) -> float:
    """Seconds until the next look."""
    match result:
        case Done():
            return 0.0
        case Again(after) | Wrong(_, after) | Unreachable(_, after):
            return after
        case Failed():
            return 0.5
