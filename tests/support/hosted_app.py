"""One app under the agent's real runner, in a process of its own that can be killed; without a broker.

Arguments: agent.toml, and the file that holds an assignment, which is taken whenever it holds a newer one.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from noonday_agent.app import HostedApp
from noonday_agent.config import load
from noonday_shared.clock import SystemClock
from noonday_shared.errors import BadInput
from noonday_shared.messages import Assignment

STEP_WITHIN = 1.0
"""Seconds for a step that is no hook, when the agent is told to stop."""


def main(toml: str, said: str) -> None:
    logging.basicConfig(level=logging.INFO)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    app = HostedApp("web", load(Path(toml)), boot=1, clock=SystemClock(), changed=lambda: None)
    app.start()
    while not stop.wait(0.02):
        with suppress(FileNotFoundError, BadInput):  # nothing was said yet, or nothing newer
            app.runner.offer(Assignment.model_validate_json(Path(said).read_bytes()))
    app.close(STEP_WITHIN)


if __name__ == "__main__":
    main(*sys.argv[1:])
