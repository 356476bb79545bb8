"""The `noonday-agent` command: run, check, status."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from pathlib import Path

from noonday_agent import __version__
from noonday_agent.check import check_all
from noonday_agent.config import AgentConfig, load
from noonday_agent.lean import keep_lean, skip_asyncio
from noonday_agent.service import Service
from noonday_agent.status import lines, look
from noonday_shared.bus.protocol import Bus
from noonday_shared.clock import SystemClock
from noonday_shared.errors import NoondayError
from noonday_shared.memory import give_memory_back

DEFAULT = Path("/etc/noonday/agent.toml")
OK, FAILED, BAD_INPUT = 0, 1, 2


def main(argv: list[str] | None = None) -> None:
    """Exit status: 0 well, 1 something that was checked is not well, 2 bad input or a start that was refused."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        config = load(arguments.config)
        code = {"run": _run, "check": _check, "status": _status}[arguments.command](config, as_json=arguments.json)
    except NoondayError as error:
        sys.stderr.write(f"{error.text}\n" + (f"Next: {error.next_action}\n" if error.next_action else ""))
        code = BAD_INPUT
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="noonday-agent", description="Noonday's agent: one on every web server.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (
        ("run", "serve this host until stopped"),
        ("check", "try everything that the configuration names, and say what to mend"),
        ("status", "what this host is now"),
    ):
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument("--config", type=Path, default=DEFAULT, help=f"default: {DEFAULT}")
        command.add_argument("--json", action="store_true", help="for programs")
    return parser


def _run(config: AgentConfig, *, as_json: bool) -> int:
    del as_json  # a service has nothing to print
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    give_memory_back()
    service = Service(config, bus_of(config), SystemClock())
    try:
        service.start()
        keep_lean()
        stop.wait()
    finally:
        service.close()
    return OK


def _check(config: AgentConfig, *, as_json: bool) -> int:
    found = []
    for checked in check_all(config, bus_of(config), SystemClock()):
        found.append(checked)
        if not as_json:
            sys.stdout.write(f"{checked.line}\n")
            sys.stdout.flush()
    if as_json:
        rows = [
            {"what": one.what, "ok": not one.trouble, "trouble": one.trouble, "next": one.next_action} for one in found
        ]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    return FAILED if any(one.trouble for one in found) else OK


def _status(config: AgentConfig, *, as_json: bool) -> int:
    status = look(config, SystemClock())
    sys.stdout.write(json.dumps(status, indent=2) + "\n" if as_json else "\n".join(lines(status)) + "\n")
    return OK


def bus_of(config: AgentConfig) -> Bus:
    """Not started yet."""
    skip_asyncio()
    from noonday_shared.bus.rabbit import RabbitBus  # noqa: PLC0415  # what it imports was decided a line before

    return RabbitBus(config.broker.url, ca_file=config.broker.ca_file, name=f"noonday-agent {config.host}")
