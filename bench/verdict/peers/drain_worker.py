"""Run by drain3's own Python: learns lines, then says in which look a line of the canary opened a cluster.

It imports nothing of Noonday. A question a line, as JSON, an answer a line; it ends with its input.
"""

from __future__ import annotations

import copy
import importlib
import json
import sys
from typing import Any


def first_new(miner: Any, looks: list[tuple[list[str], list[str]]]) -> int | None:
    for number, (canary, others) in enumerate(looks):
        changes = [miner.add_log_message(line)["change_type"] for line in canary]
        if "cluster_created" in changes:
            return number
        for line in others:
            miner.add_log_message(line)
    return None


def main() -> None:
    make = importlib.import_module("drain3").TemplateMiner
    miner = make()
    for question in sys.stdin:
        asked = json.loads(question)
        found = None
        if "learn" in asked:
            miner = make()
            for line in asked["learn"]:
                miner.add_log_message(line)
        else:
            found = first_new(copy.deepcopy(miner), asked["looks"])
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
