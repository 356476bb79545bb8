"""`python -m bench.verdict`: the verdict and its peers on the same rollouts. Exit status 1: a bar of ours is missed.

Inputs: the project's own generator, and the TrainTicket day where there is one (`--data` or NOONDAY_BENCH_DATA).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.verdict import ours, tables
from bench.verdict.generated import Generator
from bench.verdict.runner import MOST_SECONDS, Input, Plan, play
from bench.verdict.scenarios import scenarios
from bench.verdict.tally import Tally
from bench.verdict.trainticket import TrainTicket
from noonday_shared.errors import NoondayError

INPUTS = ("generator", "trainticket")
_TELL_EVERY = 10.0


def main() -> int:
    args = _arguments()
    began = time.monotonic()
    try:
        inputs, notes = _inputs(args)
        names = _names(args.only)
    except NoondayError as error:
        print(f"The bench could not be run: {error}", file=sys.stderr)
        return 2
    folder: Path = args.out or Path(tempfile.gettempdir()) / "noonday-bench"

    told = began

    def after(tallies: Sequence[Tally], more: Sequence[str]) -> None:
        nonlocal told
        now = time.monotonic()
        if now < told + _TELL_EVERY:
            return
        told = now
        played = sum(tally.n for tally in tallies if tally.who == ours.NAME)
        print(f"  {played} rollouts played, {now - began:.0f} s", file=sys.stderr, flush=True)
        tables.write(tallies, folder, [*notes, *more, f"so far, after {now - began:.0f} s"])

    plan = Plan(inputs, names, args.worlds, args.faults, first=args.first, most=args.most, alone=args.alone)
    tallies, more = play(plan, args.jobs, after)
    notes += [*more, f"played in {time.monotonic() - began:.0f} s, {args.jobs} at a time"]
    file = tables.write(tallies, folder, notes)
    console = Console(width=None if sys.stdout.isatty() else 200)
    tables.show(tallies, console)
    for note in notes:
        console.print(note, soft_wrap=True)
    console.print(f"\nAs Markdown, and every outcome beside it as JSON: {file}", soft_wrap=True)
    return 1 if any(tally.reached is False for tally in tallies) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The verdict beside its peers, on the same rollouts.")
    parser.add_argument("--worlds", type=int, default=50, help="rollouts of each clean kind")
    parser.add_argument("--faults", type=int, default=20, help="rollouts of each fault")
    parser.add_argument("--data", type=Path, help="folder with trainticket/*.jsonl.xz; or NOONDAY_BENCH_DATA")
    parser.add_argument("--input", choices=INPUTS, action="append", help="may be repeated; all when absent")
    parser.add_argument("--only", action="append", help="scenarios whose name holds this; may be repeated")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--most", type=float, default=MOST_SECONDS, help="seconds of CPU for one scenario on one input")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=1, help="processes")
    parser.add_argument("--out", type=Path, help="folder for verdict.md and verdict.json; a temporary one when absent")
    return parser.parse_args()


def _inputs(args: argparse.Namespace) -> tuple[list[Input], list[str]]:
    wanted = args.input or INPUTS
    found: list[Input] = [Generator()] if "generator" in wanted else []
    notes: list[str] = []
    if "trainticket" in wanted:
        data = args.data or (Path(folder) if (folder := os.environ.get("NOONDAY_BENCH_DATA")) else None)
        if data is None:
            notes.append("TrainTicket: not measured, no data; give its folder by --data or NOONDAY_BENCH_DATA")
        else:
            found.append(TrainTicket.read(data))
    return found, notes


def _names(only: Sequence[str] | None) -> frozenset[str]:
    names = [one.name for one in scenarios()]
    return frozenset(name for name in names if not only or any(word in name for word in only))


if __name__ == "__main__":
    sys.exit(main())
