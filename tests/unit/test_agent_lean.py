"""What an agent does not load, since it has no use for it and its server has."""

from __future__ import annotations

import subprocess
import sys

import pytest

BUS = "bus_of(type('Config', (), {'broker': type('B', (), {'url': 'amqp://h/v', 'ca_file': None}), 'host': 'web-1'}))"


@pytest.mark.parametrize("module", ["importlib.metadata", "zipfile", "asyncio"])
def test_an_agent_does_not_load(module: str) -> None:
    code = f"import sys; from noonday_agent.cli import bus_of; {BUS}; print({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_what_it_reads_is_checked_as_ever_without_them() -> None:
    code = (
        "from noonday_agent.config import LogFile; from pydantic import ValidationError\n"
        "try: LogFile(path=7)\n"
        "except ValidationError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "refused"
