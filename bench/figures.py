"""One claim, what was measured for it, and the table of all."""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """`reached` None: it could not be judged. `peer`: what another tool did in the same run, or 'not measured: why'."""

    name: str
    bar: str
    ours: str
    reached: bool | None
    peer: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    """Every number behind it, for those who want to check."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def not_measured(why: object) -> str:
    """What stands in the place of a number that nobody measured."""
    return f"not measured: {why}"


def keep(figures: Sequence[Figure], folder: Path | None, name: str) -> Path:
    """Write every number into a JSON file in `folder`, a temporary one when it is None; the file."""
    folder = folder or Path(tempfile.gettempdir()) / "noonday-bench"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()}
    text = json.dumps({"machine": machine, "figures": [figure.as_json() for figure in figures]}, indent=2)
    file.write_text(text + "\n")
    return file


def show(figures: Sequence[Figure], console: Console) -> None:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    for column in ("figure", "bar", "Noonday", "", "beside it"):
        table.add_column(column, overflow="fold")
    for figure in figures:
        table.add_row(figure.name, figure.bar, figure.ours, _mark(figure.reached), figure.peer)
    console.print(table)


def _mark(reached: bool | None) -> str:
    return {True: "reached", False: "MISSED", None: "?"}[reached]
