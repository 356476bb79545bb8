"""A journalctl that follows a file: what a test needs where no journal is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

_SCRIPT = """#!{python}
import json, os, sys, time
arguments = sys.argv[1:]
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if os.path.exists({refusal!r}):
    print(open({refusal!r}).read(), file=sys.stderr)
    sys.exit(1)
after = [one.partition("=")[2] for one in arguments if one.startswith("--after-cursor=")]
parent = os.getppid()
with open({journal!r}, "rb") as journal:
    if not after:
        journal.seek(0, 2)
    while after and (line := journal.readline()):
        if json.loads(line)["__CURSOR"] == after[0]:
            break
    print("ready", file=sys.stderr, flush=True)
    while os.getppid() == parent:
        line = journal.readline()
        if line:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        else:
            time.sleep(0.01)
"""


class StandInJournal:
    """`program`: what to run instead of journalctl."""

    def __init__(self, folder: Path) -> None:
        self.program = str(folder / "journalctl")
        self._journal = folder / "journal.jsonl"
        self._calls = folder / "calls"
        self._refusal = folder / "refusal"
        self._journal.touch()
        script = _SCRIPT.format(
            python=sys.executable, calls=str(self._calls), refusal=str(self._refusal), journal=str(self._journal)
        )
        Path(self.program).write_text(script)
        Path(self.program).chmod(0o755)
        self._written = 0

    def log(self, message: object, priority: str = "6") -> str:
        """Write an entry; its cursor."""
        self._written += 1
        cursor = f"s=1;i={self._written}"
        self.raw(json.dumps({"__CURSOR": cursor, "MESSAGE": message, "PRIORITY": priority}).encode())
        return cursor

    def raw(self, line: bytes) -> None:
        with self._journal.open("ab") as journal:
            journal.write(line + b"\n")

    def refuse(self, why: str) -> None:
        """End at once from now on; allow again when empty."""
        if why:
            self._refusal.write_text(why)
        else:
            self._refusal.unlink()

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each run."""
        if not self._calls.exists():
            return []
        return [json.loads(line) for line in self._calls.read_text().splitlines()]
