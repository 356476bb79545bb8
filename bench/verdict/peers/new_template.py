"""A template at WARN or above that drain3 has not seen before the rollout, on the canary.

He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree" (2017), by drain3 from PyPI with its defaults,
in a process and virtual environment of its own. "New template" alerts of log services work like this. It reads all
alerts of all hosts, oldest first, without their headers; one tree for the fleet, which is kinder to it than one each.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from bench.peers import peer
from bench.verdict.case import Case
from noonday_shared.errors import Temporary

_WORKER = Path(__file__).with_name("drain_worker.py")


class NewTemplate:
    name = "new template (drain3)"

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._learnt: list[str] = []

    def turns_back(self, case: Case) -> float | None:
        history = [alert.text for alert in case.history()]
        if history != self._learnt:
            self._ask({"learn": history})
            self._learnt = history
        looks = []
        for window in case.windows:
            others = [alert.text for host in case.others(window) for alert in case.lines(window, host)]
            looks.append([[alert.text for alert in case.lines(window, case.canary)], others])
        found = self._ask({"looks": looks})
        return None if found is None else case.windows[found].ends

    def _ask(self, question: dict[str, object]) -> int | None:
        process = self._running()
        if process.stdin is None or process.stdout is None:
            raise Temporary("drain3's process has no pipes")
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise Temporary("drain3's process ended; start the bench again, or leave this peer out")
        found: int | None = json.loads(answer)
        return found

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = [str(peer("drain3") / "python"), str(_WORKER)]
            # It says on stderr, each time anew, that it has no configuration file.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        return self._process
