"""`noonday-agent status`: what this host is, told from its own disk and parts, with or without a broker."""

from __future__ import annotations

from noonday_agent.app import build_parts
from noonday_agent.config import AgentConfig
from noonday_agent.identity import running_pid
from noonday_agent.journal_file import JournalFile
from noonday_agent.monitor import Monitor
from noonday_agent.reporter import app_snapshot
from noonday_shared.clock import Clock
from noonday_shared.messages import AppSnapshot


def look(config: AgentConfig, clock: Clock) -> dict[str, object]:
    """Everything `status` prints, ready for JSON. Asks each part once. Raises `Permanent` for an unreadable journal."""
    return {
        "host": config.host,
        "agent_pid": running_pid(config.state_dir),
        "apps": [_app(name, config, clock).model_dump(mode="json") for name in config.apps],
    }


def _app(name: str, config: AgentConfig, clock: Clock) -> AppSnapshot:
    settings = config.apps[name]
    parts = build_parts(name, settings, config, clock)
    journal = JournalFile(config.state_dir / "apps" / f"{name}.json", name).load()
    seen = Monitor(settings, parts).look()
    return app_snapshot(journal, seen, parts.releases.live(), parts.releases.prepared())


def lines(status: dict[str, object]) -> list[str]:
    """The same for a person."""
    pid = status["agent_pid"]
    told = [f"{status['host']}: agent {f'runs (pid {pid})' if pid else 'does not run'}"]
    apps = status["apps"]
    for app in apps if isinstance(apps, list) else []:
        service = {True: "in service", False: "out of service", None: "place in the load balancer not known"}
        health = {True: "healthy", False: "not healthy", None: "health not known"}
        told.append(f"  {app['app']}: {app['live'] or 'no release'}, {app['phase']} {app['step']}".rstrip())
        told.append(f"    {service[app['in_service']]}, {health[app['healthy']]}")
        told += [f"    {name}: {words}" for name, words in app["balancers"].items()]
        if app["trouble"]:
            told.append(f"    {app['trouble']['step']}: {app['trouble']['text']} Next: {app['trouble']['next_action']}")
    return told
