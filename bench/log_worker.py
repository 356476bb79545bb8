"""Run by another tool's own Python: group the lines of a file by that tool, and print what came out as JSON.

It imports nothing of Noonday. `python log_worker.py TOOL FILE`: one line a record.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def logfold(lines: list[str]) -> tuple[list[str], float]:
    """As its documentation does it for many: a batch is mined, then each record is assigned."""
    miner = importlib.import_module("logfold").Miner()
    began = time.process_time()
    miner.add_many(lines)
    seconds = time.process_time() - began
    return [match.id if match else "" for match in miner.match_many(lines)], seconds


def drain3(lines: list[str]) -> tuple[list[str], float]:
    """With its defaults, which mask nothing."""
    miner = importlib.import_module("drain3").TemplateMiner()
    began = time.process_time()
    found = [str(miner.add_log_message(line)["cluster_id"]) for line in lines]
    return found, time.process_time() - began


TOOLS: dict[str, Callable[[list[str]], tuple[list[str], float]]] = {"logfold": logfold, "drain3": drain3}


def main() -> None:
    tool, file = sys.argv[1:]
    lines = [line or "-" for line in Path(file).read_text(encoding="utf-8", errors="replace").split("\n")]
    groups, seconds = TOOLS[tool](lines)
    sys.stdout.write(json.dumps({"groups": groups, "seconds": seconds}))


if __name__ == "__main__":
    main()
