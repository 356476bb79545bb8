"""What an agent brings to a web server: five libraries and what they need, nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import requires

CHOSEN = {"pydantic", "pika", "psutil", "watchdog", "cryptography"}
THEIRS = {"annotated-types", "pydantic-core", "typing-extensions", "typing-inspection", "cffi", "pycparser"}
OURS = {"noonday-agent", "noonday-shared"}


def _needed(name: str) -> set[str]:
    """Names that a distribution asks for, without extras and without what other platforms need."""
    asked = [line for line in requires(name) or [] if "extra ==" not in line]
    return {re.split(r"[ <>=!~;\[(]", line)[0].lower().replace("_", "-") for line in asked}


def test_the_agent_brings_five_libraries_and_what_they_need() -> None:
    found, open_ = set[str](), {"noonday-agent"}
    while open_:
        name = open_.pop()
        found.add(name)
        open_ |= _needed(name) - found
    assert found - OURS - THEIRS == CHOSEN


def test_the_agent_imports_nothing_beyond_what_it_brings() -> None:
    heavy = {"click", "rich", "fastapi", "starlette", "httpx", "uvicorn", "noonday_coordinator", "scipy", "numpy"}
    assert not heavy & {name.partition(".")[0] for name in _imported()}


def test_the_agent_imports_no_event_loop_and_no_server_that_nobody_asked_for() -> None:
    assert not {"asyncio", "http.server", "xmlrpc.client"} & _imported()


def _imported() -> set[str]:
    """By an agent that is about to connect, as none that has a balancer or a process manager yet."""
    words = (
        "import sys; from types import SimpleNamespace as S; from noonday_agent.cli import bus_of;"
        "bus_of(S(broker=S(url='amqp://a:b@localhost/', ca_file=None), host='web-1')); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60)
    return set(loaded.stdout.split())
