"""One app on this host, whole: its parts, its runner, its monitor and its evidence, and the threads they live in."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from noonday_agent import config
from noonday_agent.balancers.build import build_balancers
from noonday_agent.balancers.pool import Pool
from noonday_agent.core.limits import Limits
from noonday_agent.evidence.collector import Collector
from noonday_agent.evidence.scraper import Scraper
from noonday_agent.hooks import run_hook
from noonday_agent.journal_file import JournalFile
from noonday_agent.monitor import Monitor, Seen
from noonday_agent.parts import Parts
from noonday_agent.probes.http import HttpProbe
from noonday_agent.probes.kernel import KernelProver
from noonday_agent.processes.build import build_process
from noonday_agent.processes.patience import Patience
from noonday_agent.releases.store import ReleaseStore
from noonday_agent.reporter import app_snapshot
from noonday_agent.runner import AppRunner
from noonday_agent.steps import Steps
from noonday_agent.underway import GRACE, RESTART, end_all_but_restart, note_of
from noonday_shared.clock import Clock
from noonday_shared.errors import NoondayError
from noonday_shared.keys import PublicKey
from noonday_shared.messages import AppSnapshot, Evidence

OBSERVED_LOOK = 1.0
"""Seconds between looks at an app that a rollout observes; others are looked at as health.every says."""
YOUNG = 60.0
"""Seconds after the return to service in which news of the app is worth more than later."""

HOOK_WITHIN = 70.0
"""Seconds for a hook that runs when the agent is told to stop: as long as hooks have unless agent.toml says more. Units
in packaging/ give the agent more than that."""

_log = logging.getLogger(__name__)


def build_parts(name: str, settings: config.App, agent: config.AgentConfig, clock: Clock) -> Parts:
    """The real parts. Asks nobody yet. Raises `BadInput` when a balancer is named twice."""
    patience = Patience()
    balancers = build_balancers(name, settings.balancers, agent.state_dir, clock, patience)
    hook, restart = (note_of(agent.state_dir, name, what) for what in ("hook", RESTART))
    releases = ReleaseStore(
        settings.root,
        keys=[PublicKey.parse(key) for key in agent.trust.releases],
        downloads_dir=agent.state_dir / "downloads" / name,
        keep=settings.keep,
        max_unpacked=settings.max_unpacked,
        clock=clock,
    )
    return Parts(
        pool=Pool(balancers),
        process=build_process(settings.process, clock, patience, restart),
        releases=releases,
        prover=KernelProver(releases.folders.releases, settings.health.url),
        probe=HttpProbe(settings.health.url),
        run_hook=lambda call: run_hook(call, settings.hooks, agent.state_dir, hook),
        patience=patience,
        end_leftovers=lambda: end_all_but_restart(agent.state_dir, name),
    )


def limits_of(settings: config.App) -> Limits:
    return Limits(
        idle_within=settings.drain.idle_within,
        on_busy=settings.drain.on_busy,
        restart_within=settings.restart_within,
        healthy_within=settings.health.within,
        successes=settings.health.successes,
        return_within=settings.return_within,
        hook_within=settings.hooks.within,
    )


class HostedApp:
    """Owns two threads: the runner's, and one that looks at the app."""

    def __init__(
        self, name: str, agent: config.AgentConfig, *, boot: int, clock: Clock, changed: Callable[[], None]
    ) -> None:
        """Raises a `NoondayError` for settings that can't be used or a journal that can't be read."""
        settings = agent.apps[name]
        self.name = name
        self.parts = build_parts(name, settings, agent, clock)
        self._settings = settings
        self._clock = clock
        self._changed = changed
        scraper = Scraper(settings.metrics, settings.health.url, clock) if settings.metrics else None
        self._monitor = Monitor(settings, self.parts, scraper)
        self._arrived_at: float | None = None
        self.collector = Collector(
            name, settings.logs, redact=settings.redact, state_dir=_made(agent.state_dir / "logs"), clock=clock
        )
        self._boot = boot
        self._epoch = 0
        self._counting = threading.Lock()
        self.collector.begin(self.parts.releases.live().id, self._epoch)
        self.runner = AppRunner(
            host=agent.host,
            app=name,
            steps=Steps(agent.host, name, settings, self.parts),
            releases=self.parts.releases,
            file=JournalFile(_made(agent.state_dir / "apps") / f"{name}.json", name),
            limits=limits_of(settings),
            clock=clock,
            changed=changed,
            watcher=self,
        )
        self._leaving = threading.Event()
        self._until: float | None = None
        self._threads = [
            threading.Thread(target=self.runner.run, name=f"runner-{name}", daemon=True),
            threading.Thread(target=self._watch, name=f"monitor-{name}", daemon=True),
        ]

    def start(self) -> None:
        """Raises a `NoondayError` when what a balancer polls can't be opened."""
        self.parts.pool.start()
        for thread in self._threads:
            thread.start()

    def leave(self, within: float) -> None:
        """Begin to stop, and return at once: `end_step` and `close` wait for it. The first call counts."""
        if self._until is None:
            self._until = time.monotonic() + within
            self.runner.leave(hook_within=HOOK_WITHIN)

    def end_step(self) -> None:
        """Until the present step is over, or the time that `leave` gave; the journal says where to go on. A hook, which
        is not run twice, has `HOOK_WITHIN` seconds since `leave`. The app is looked at on, and balancers answered."""
        runner = self._threads[0]
        if runner.ident is None or self._until is None:
            return
        runner.join(max(self._until - time.monotonic(), 0.0))
        if self.runner.in_hook:
            runner.join(HOOK_WITHIN + GRACE)

    def close(self, within: float) -> None:
        """`leave`, `end_step`, then end all else."""
        self.leave(within)
        self.end_step()
        self._leaving.set()
        monitor = self._threads[1]
        if monitor.ident is not None:
            monitor.join(within)
        for thread in self._threads:
            if thread.is_alive():
                _log.warning(
                    "The thread %s did not end within %g s and is left: the next agent goes on from the journal.",
                    thread.name,
                    within,
                )
        self.parts.pool.close()
        self.collector.close()

    @property
    def observed(self) -> bool:
        assignment = self.runner.journal.assignment
        return assignment is not None and assignment.observe

    @property
    def watched(self) -> bool:
        """Whether somebody follows the logs now."""
        assignment = self.runner.journal.assignment
        return assignment is not None and assignment.watch_until > self._clock.now()

    def snapshot(self) -> AppSnapshot:
        releases = self.parts.releases
        return app_snapshot(self.runner.journal, self._monitor.seen, releases.live(), releases.prepared())

    @property
    def young(self) -> bool:
        """Whether it came back into service less than `YOUNG` seconds ago."""
        arrived = self._arrived_at
        return arrived is not None and self._clock.monotonic() - arrived < YOUNG

    def evidence(self, host: str, boot: int, seq: int) -> Evidence:
        """The next message, which is to be sent: what it tells counts as told."""
        with self._counting:
            now, watching = self._clock.now(), self.watched
            process = self._monitor.process(self._clock)
            return self.collector.evidence(
                host=host, boot=boot, seq=seq, now=now, watching=watching, process=process
            )  # fmt: skip

    def last_word(self, host: str, boot: int, seq: int) -> Evidence | None:
        """What a release that ended has counted to its end; once each, to be sent before the next `evidence`."""
        return self.collector.last_word(host=host, boot=boot, seq=seq)

    def restarting(self) -> None:
        self._monitor.restarting()

    def restarted(self, release: str) -> None:
        """What is logged from now on was written by the new process; what was read until now, by the old one."""
        self._monitor.restarted()
        # No message may tell what one counter saw of the old release under the name of the new one.
        with self._counting:
            self._epoch += 1
            self.collector.begin(release, self._epoch, self._monitor.begin())

    def arrived(self) -> None:
        self._arrived_at = self._clock.monotonic()
        self._monitor.arrived()

    def _watch(self) -> None:
        before = Seen()
        while not self._leaving.is_set():
            try:
                seen = self._monitor.look()
            except NoondayError as error:
                _log.warning("%s: %s", self.name, error)
            except Exception:
                # The host must go on being watched whatever one look met.
                _log.exception("%s: a look at the app met an error of its own", self.name)
            else:
                if seen != before:
                    self._changed()
                before = seen
            self._leaving.wait(OBSERVED_LOOK if self._soon() else self._settings.health.every)

    def _soon(self) -> bool:
        return self.observed or self.runner.journal.attempt is not None or self._monitor.seen.healthy is False


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
