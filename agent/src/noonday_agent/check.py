"""`noonday-agent check`: try everything that agent.toml names, change nothing, and say what to mend."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from noonday_agent.app import build_parts
from noonday_agent.commands import run_command
from noonday_agent.config import AgentConfig, App, JournalLog, Metrics
from noonday_agent.evidence.prometheus import read_metrics
from noonday_agent.evidence.scraper import LARGEST
from noonday_agent.parts import Parts
from noonday_agent.probes.http import HttpProbe
from noonday_agent.releases.layout import ReleaseFolders
from noonday_shared import topology
from noonday_shared.bus.protocol import Bus
from noonday_shared.clock import Clock, wait_until
from noonday_shared.errors import BadInput, NoondayError, Permanent
from noonday_shared.keys import SigningKey

BROKER_WITHIN = 10.0
JOURNAL_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing tried. `trouble` is empty when it is well."""

    what: str
    trouble: str = ""
    next_action: str = ""

    @property
    def line(self) -> str:
        if not self.trouble:
            return f"ok    {self.what}"
        return f"FAIL  {self.what}: {self.trouble}" + (f"\n      Next: {self.next_action}" if self.next_action else "")


def check_all(config: AgentConfig, bus: Bus, clock: Clock) -> Iterator[Checked]:
    """Each thing as it is tried; the broker last, since it may take up to 10 s."""
    yield _tried("host key", lambda: SigningKey.load(config.trust.host_key_file))
    yield _tried(f"state folder {config.state_dir}", lambda: _writable(config.state_dir))
    for name, app in config.apps.items():
        yield from _app(name, app, config, clock)
    yield _tried("broker and this host's queue", lambda: _broker(config, bus, clock))


def _app(name: str, app: App, config: AgentConfig, clock: Clock) -> Iterator[Checked]:
    try:
        parts = build_parts(name, app, config, clock)
    except NoondayError as error:
        yield Checked(f"{name}: balancers", error.text, error.next_action)
        return
    yield _tried(f"{name}: root {app.root}", lambda: _root(app.root))
    for balancer in parts.pool.balancers:
        yield _tried(f"{name}: {balancer.name}", balancer.check)
    yield _tried(f"{name}: {parts.process.name}", parts.process.check)
    for log in app.logs:
        if isinstance(log, JournalLog):
            yield _tried(f"{name}: journal of {log.unit}", partial(_journal, log.unit))
        else:
            yield _tried(f"{name}: log {log.path}", partial(_readable, log.path))
    if app.metrics is not None:
        yield _tried(f"{name}: metrics", partial(_metrics, app.metrics, app.health.url))
    yield _tried(f"{name}: health {app.health.url}{app.health.path}", lambda: _healthy(app, parts))


def _tried(what: str, attempt: Callable[[], object]) -> Checked:
    try:
        attempt()
    except NoondayError as error:
        return Checked(what, error.text, error.next_action)
    return Checked(what)


def _writable(folder: Path) -> None:
    place = folder
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise BadInput(f"{place} can't be written to.", next_action=f"chown {place} to the agent's user")


def _root(root: Path) -> None:
    _writable(root)
    ReleaseFolders(root).refuse_plain_current()


def _readable(path: Path) -> None:
    if not path.exists():
        raise BadInput(f"{path} is not there yet.", next_action="start the app, or mend the path in agent.toml")
    if not os.access(path, os.R_OK):
        raise BadInput(f"{path} can't be read.", next_action="let the agent's user read it: chmod, or its group")


def _journal(unit: str) -> None:
    result = run_command(["journalctl", f"--unit={unit}", "--lines=1", "--quiet", "--no-pager"], within=JOURNAL_WITHIN)
    if result.timed_out:
        raise BadInput(
            f"journalctl did not answer within {JOURNAL_WITHIN:g} s, so its log may not be read.",
            next_action="see what holds it: systemctl status systemd-journald, journalctl --disk-usage",
        )
    if not result.ok:
        raise BadInput(
            f"journalctl can't read it: {result.output_tail.strip()[-300:] or result.exit}",
            next_action="put the agent's user into the group systemd-journal",
        )


def _metrics(metrics: Metrics, health_url: str) -> None:
    probe = HttpProbe(metrics.url or health_url)
    result, body = probe.fetch(metrics.path, metrics.timeout, LARGEST)
    if not result.ok:
        raise Permanent(result.text, next_action="start the app, or mend its [metrics] in agent.toml")
    found = read_metrics(body.decode("utf-8", "replace"), metrics.series)
    if missing := [name for name in metrics.series if name not in found]:
        raise BadInput(
            f"{probe.base_url}{metrics.path} tells no finite number for {', '.join(missing)}.",
            next_action="name series as the app writes them, in [metrics] of agent.toml",
        )


def _healthy(app: App, parts: Parts) -> None:
    answer = parts.probe.health(app.health.path, app.health.timeout)
    if not answer.ok:
        raise Permanent(answer.text, next_action="start the app, or mend [apps.….health] in agent.toml")


def _broker(config: AgentConfig, bus: Bus, clock: Clock) -> None:
    """An agent that runs already holds the queue, and that is as good a proof as our own."""
    bus.consume(topology.agent_queue(config.host), lambda raw: None, exclusive=True)
    bus.start()
    try:
        wait_until(lambda: bus.connected, what="a connection to the broker", within=BROKER_WITHIN, clock=clock)
    except NoondayError as error:
        if "already connected" not in bus.trouble:
            raise Permanent(bus.trouble, next_action="see broker.url in agent.toml, and: noonday doctor") from error
    finally:
        bus.close(1.0)
