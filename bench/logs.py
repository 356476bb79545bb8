"""`python -m bench.logs`: how well log lines are grouped, how fast, and what reading them costs a server.

Beside us, in the same run and on the same lines: drain3 and logfold, each in a virtual environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.figures import Figure, keep, not_measured, show
from bench.log_lines import (
    LabelledLog,
    application_lines,
    distinct_lines,
    make_logs,
    make_service_lines,
    read_folder,
    read_service_lines,
)
from bench.peers import peer
from noonday_coordinator.verdict.catalogue import Clusters
from noonday_shared.envelope import LARGEST
from noonday_shared.errors import NoondayError, Temporary
from noonday_shared.logs.request_ids import RequestIds
from noonday_shared.logs.signature import Signature, Signer
from noonday_shared.messages import Template

ACCURACY = 0.765
LINES_A_SECOND = 600_000
LONG_LINES_A_SECOND = 300_000
CPU_SHARE = 0.05
PSS = 45e6
MESSAGE = 10_000
DATA = "NOONDAY_BENCH_DATA"
PARTS = ("accuracy", "speed", "reading", "burst", "rubbish")
_PEERS = ("drain3", "logfold")
_WORKER = Path(__file__).with_name("log_worker.py")
_WITHIN = 300.0
_SPEED_LINES = 100_000
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Grouped:
    """`seconds`: of one core, for the grouping alone."""

    groups: list[str]
    seconds: float


Tool = Callable[[Sequence[str]], Grouped]


def main() -> int:
    parser = argparse.ArgumentParser(description="Grouping, speed and cost of reading logs, beside other tools.")
    parser.add_argument(
        "--data",
        type=Path,
        default=data_folder(),
        help=f"folder with loghub_2k/ and trainticket/, else ${DATA}; lines of the project's own making when absent",
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="may be repeated; all when absent")
    parser.add_argument("--seconds", type=float, default=45.0, help="that the reader is watched for")
    parser.add_argument("--out", type=Path, help="folder for the JSON file; a temporary one when absent")
    args = parser.parse_args()
    try:
        figures = measure(args.data, args.only or PARTS, args.seconds)
    except NoondayError as error:
        print(f"The bench could not be run: {error}", file=sys.stderr)
        return 1
    console = Console(width=None if sys.stdout.isatty() else 160)
    show(figures, console)
    console.print(f"\nEvery number: {keep(figures, args.out, 'logs')}", soft_wrap=True)
    return 1 if any(figure.reached is False for figure in figures) else 0


def measure(data: Path | None, parts: Sequence[str] = PARTS, seconds: float = 45.0) -> list[Figure]:
    """`data`: see `--data`. Raises `NoondayError` when it holds no such logs."""
    logs = read_folder(data) if data else make_logs()
    ways: dict[str, Callable[[], list[Figure]]] = {
        "accuracy": lambda: accuracy(logs),
        "speed": lambda: [
            speed("lines a second on one core", [line for log in logs for line in log.raw], LINES_A_SECOND),
            speed("the same, of a web application", _service_lines(data, traced=False), LONG_LINES_A_SECOND),
            speed("the same, each with a trace's id", _service_lines(data, traced=True), None),
        ],
        "reading": lambda: reading(seconds),
        "burst": lambda: [burst(), burst_of_bytes()],
        "rubbish": lambda: [rubbish()],
    }
    return [figure for part in parts for figure in ways[part]()]


def data_folder() -> Path | None:
    """What NOONDAY_BENCH_DATA says."""
    return Path(os.environ[DATA]) if os.environ.get(DATA) else None


def accuracy(logs: Sequence[LabelledLog]) -> list[Figure]:
    """The share of lines whose group holds exactly the lines of their kind: on whole lines, and without headers."""
    return [
        _accuracy("grouping accuracy, whole lines", logs, lambda log: log.raw, ACCURACY),
        _accuracy("grouping accuracy, headers taken off before", logs, lambda log: log.contents, ACCURACY),
    ]


def _accuracy(name: str, logs: Sequence[LabelledLog], lines: Callable[[LabelledLog], list[str]], bar: float) -> Figure:
    tools = {"keys and clusters": two_levels, "keys alone": keys, **{each: _by(each) for each in _PEERS}}
    raw: dict[str, dict[str, float]] = {}
    words: dict[str, str] = {}
    means: dict[str, float] = {}
    for tool, group in tools.items():
        try:
            found = {log.name: grouping_accuracy(log.kinds, group(lines(log)).groups) for log in logs}
        except NoondayError as error:
            words[tool] = not_measured(error.text)
            continue
        means[tool] = statistics.mean(found.values())
        raw[tool], words[tool] = found, f"{means[tool]:.3f}"
    each_set = " · ".join(f"{log} {share:.2f}" for log, share in raw["keys and clusters"].items())
    ours = f"{words['keys and clusters']} (keys alone {words['keys alone']})\n{each_set}"
    beside = " · ".join(f"{each} {words[each]}" for each in _PEERS)
    return Figure(name, f"≥ {bar}", ours, means["keys and clusters"] >= bar, beside, dict(raw))


def _service_lines(data: Path | None, *, traced: bool) -> list[str]:
    lines = read_service_lines(data, traced=traced) if data else []
    return [line.decode() for line in lines or make_service_lines(60_000, traced=traced)]


def speed(name: str, lines: Sequence[str], bar: int | None) -> Figure:
    """Lines keyed as the agent does it, from an empty cache, until 100,000 are through."""
    lines = (list(lines) * (_SPEED_LINES // len(lines) + 1))[:_SPEED_LINES]
    ours = len(lines) / keys(lines).seconds
    length = sum(map(len, lines)) / len(lines)
    raw: dict[str, object] = {"ours": ours, "bytes a line": length}
    words = []
    for each in _PEERS:
        try:
            raw[each] = rate = len(lines) / _by(each)(lines).seconds
            words.append(f"{each} {rate:,.0f}")
        except NoondayError as error:
            words.append(f"{each} {not_measured(error.text)}")
    reached = None if bar is None else ours >= bar
    asked = "" if bar is None else f"≥ {bar:,}"
    return Figure(f"{name}, {length:.0f} bytes each", asked, f"{ours:,.0f}", reached, " · ".join(words), raw)


def reading(seconds: float) -> list[Figure]:
    """An agent's reading half at 10,000 lines a second. Its first message, which tells all that is new, is apart."""
    found = _read(10_000, seconds)
    share, pss = float(found["cpu"]) / float(found["seconds"]), int(found["pss"])
    steady = statistics.median(found["sent"][1:]) if len(found["sent"]) > 1 else float("nan")
    what = "10,000 lines/s"
    return [
        Figure(f"CPU at {what}", f"≤ {CPU_SHARE:.0%} of a core", f"{share:.1%}", share <= CPU_SHARE, raw=found),
        Figure(f"memory (PSS) at {what}", "≤ 45 MB", f"{pss / 1e6:.1f} MB", pss <= PSS),
        Figure(f"sent at {what}", "≤ 10 kB per 10 s", f"{steady / 1e3:.1f} kB", steady <= MESSAGE),
    ]


def burst() -> Figure:
    return _burst("10 s of 100,000 lines/s", _read(100_000, 10.0))


def burst_of_bytes() -> Figure:
    """Lines of 2 kB, for 4 s."""
    return _burst("4 s of 50 MB/s", _read(25_000, 4.0, [line.ljust(1999, b"x") for line in application_lines(4000)]))


def rubbish() -> Figure:
    """100,000 lines of which no two are alike, in 10 s."""
    found = _read(10_000, 10.0, list(distinct_lines(100_000)))
    told, largest = found["records"] + found["requests"], max(found["sent"])
    overflow = sum(found["overflow"].values())
    ours = (
        f"{told:,} counted, {found['kinds']:,} kinds kept, {overflow:,} counted by level only; "
        f"{found['pss'] / 1e6:.0f} MB, largest message {largest / 1e3:.0f} kB"
    )
    complete = told == int(found["written"]) and overflow > 0 and largest < LARGEST
    return Figure("100,000 distinct lines in 10 s", "all counted, bounded", ours, complete, raw=found)


def _burst(name: str, found: dict[str, Any]) -> Figure:
    counted, dropped = int(found["records"]) + int(found["requests"]), int(found["dropped"])
    share = f"{counted:,} of {found['written']:,} lines counted, {dropped:,} bytes told as dropped"
    ours = f"{share}; {int(found['pss']) / 1e6:.0f} MB"
    complete = dropped > 0 or counted == int(found["written"])
    return Figure(name, "nothing dropped, or told", ours, complete, raw=found)


def grouping_accuracy(kinds: Sequence[str], groups: Sequence[str]) -> float:
    by_kind: dict[str, set[int]] = defaultdict(set)
    by_group: dict[str, set[int]] = defaultdict(set)
    for number, (kind, group) in enumerate(zip(kinds, groups, strict=True)):
        by_kind[kind].add(number)
        by_group[group].add(number)
    right = sum(len(group) for group in by_group.values() if by_kind[kinds[next(iter(group))]] == group)
    return right / len(kinds)


def keys(lines: Sequence[str]) -> Grouped:
    """What the agent counts by, with the ids of requests taken out as it does."""
    records = [line.encode() for line in lines]
    signer, ids = Signer(), RequestIds()
    signatures: list[Signature] = []
    began = time.process_time()
    for at in range(0, len(records), _AT_ONCE):
        some = records[at : at + _AT_ONCE]
        rests, _ = ids.cut(some)
        signatures += signer.sign_all(some, rests)
    return Grouped([one.key for one in signatures], time.process_time() - began)


def two_levels(lines: Sequence[str]) -> Grouped:
    """Keys, and the coordinator's clusters of them."""
    began = time.process_time()
    signatures = Signer().sign_all([line.encode() for line in lines])
    clusters = Clusters()
    known: dict[str, str] = {}
    for one in sorted({one.key: one for one in signatures}.values(), key=lambda one: (one.level, one.logger, one.key)):
        template = Template(key=one.key, level=one.level, logger=one.logger, text=one.text, first_seen=0.0)
        known[one.key] = str(clusters.find(template).id)
    return Grouped([known[one.key] for one in signatures], time.process_time() - began)


def _by(name: str) -> Tool:
    def group(lines: Sequence[str]) -> Grouped:
        python = peer(name) / "python"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "lines"
            file.write_text("\n".join(line.replace("\n", " ") for line in lines), encoding="utf-8")
            ran = subprocess.run(
                [str(python), str(_WORKER), name, str(file)], capture_output=True, timeout=_WITHIN, check=True
            )
        found = json.loads(ran.stdout)
        return Grouped(found["groups"], found["seconds"])

    return group


def _read(rate: int, seconds: float, some: Sequence[bytes] = ()) -> dict[str, Any]:
    """What `bench.log_reader` says after so many seconds of a log that grows by `rate` lines a second."""
    lines = [line + b"\n" for line in some or application_lines(50_000)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "web.log"
        log.touch()
        reader = subprocess.Popen(
            [sys.executable, "-m", "bench.log_reader", str(log), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if reader.stdin is None or reader.stdout is None or not reader.stdout.readline():
            raise Temporary("The reader did not start.", next_action="run python -m bench.log_reader LOG 1")
        written = _write(log, lines, rate, seconds)
        out, _ = reader.communicate(b"the log ends here\n", timeout=seconds + 120.0)
    found: dict[str, Any] = json.loads(out)
    return {**found, "written": written, "rate": rate}


def _write(log: Path, lines: list[bytes], rate: int, seconds: float) -> int:
    began, written, each = time.monotonic(), 0, rate // 10
    with log.open("ab", buffering=0) as file:
        while (passed := time.monotonic() - began) < seconds:
            while written < rate * passed:
                start = written % len(lines)
                file.write(b"".join(lines[start : start + each]))
                written += len(lines[start : start + each])
            time.sleep(0.05)
    return written


if __name__ == "__main__":
    sys.exit(main())
