"""One claim, what was measured for it, and the table of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
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


def show(figures: Sequence[Figure], console: Console) -> None:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    for column in ("figure", "bar", "Noonday", "", "beside it"):
        table.add_column(column, overflow="fold")
    for figure in figures:
        table.add_row(figure.name, figure.bar, figure.ours, _mark(figure.reached), figure.peer)
    console.print(table)


def _mark(reached: bool | None) -> str:
    return {True: "reached", False: "MISSED", None: "?"}[reached]
