"""The rows as a table on the terminal, as Markdown, and as JSON with every outcome."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench.verdict.ours import NAME
from bench.verdict.tally import Tally

COLUMNS = (
    "scenario", "input", "who", "n", "rolled back", "held", "promoted", "undecided", "median s", "p90 s", "longer",
    "bar", "",
)  # fmt: skip


def show(tallies: Sequence[Tally], console: Console) -> None:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for tally in tallies:
        table.add_row(*tally.row(), style="bold" if tally.who == NAME else "dim")
    console.print(table)


def write(tallies: Sequence[Tally], folder: Path, notes: Sequence[str]) -> Path:
    """`verdict.md` and `verdict.json` in `folder`; the first. Each call writes them anew."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "verdict.md"
    file.write_text(markdown(tallies, notes), encoding="utf-8")
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()}
    found = {"machine": machine, "notes": list(notes), "rows": [tally.as_json() for tally in tallies]}
    (folder / "verdict.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return file


def markdown(tallies: Sequence[Tally], notes: Sequence[str]) -> str:
    lines = ["# The verdict beside its peers", "", *(f"- {note}" for note in notes), ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(tally.row()) + " |" for tally in tallies]
    return "\n".join(lines) + "\n"
