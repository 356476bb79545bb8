"""Where words, tables and JSON go: results on stdout, everything beside them on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import click
from pydantic import BaseModel
from rich.console import Console, RenderableType

from noonday_coordinator.cli.words import clean
from noonday_shared.errors import NoondayError

_PLAIN_WIDTH = 10_000
"""Off a terminal nothing is wrapped or cut: the reader is a file or a program."""


class Output:
    """`as_json`: one JSON document on stdout, or JSON lines. `terminal`: a person watches and can answer."""

    def __init__(self, *, as_json: bool, terminal: bool | None = None) -> None:
        self.as_json = as_json
        watched = sys.stdout.isatty() if terminal is None else terminal
        answers = sys.stdin.isatty() if terminal is None else terminal
        self.live = watched and not as_json
        self.may_ask = watched and answers and not as_json

    def document(self, value: BaseModel | Mapping[str, Any], text: RenderableType) -> None:
        """The command's one result: the value as JSON, or its text."""
        if self.as_json:
            click.echo(json.dumps(_plain(value), indent=2))
        else:
            self.show(text)

    def record(self, name: str, value: BaseModel | Mapping[str, Any]) -> None:
        """One JSON line, `{name: value}`; nothing without `--json`."""
        if self.as_json:
            click.echo(json.dumps({name: _plain(value)}))

    def show(self, text: RenderableType) -> None:
        """For people; nothing with `--json`."""
        if self.as_json:
            return
        if isinstance(text, str):
            click.echo(clean(text))
        elif self.live:
            self.console().print(text)
        else:
            click.echo(plain(text))

    def note(self, words: str, **values: object) -> None:
        """Beside the result, on stderr: what is going on, what to do next."""
        click.echo(json.dumps({"note": words, **values}) if self.as_json else clean(words), err=True)

    def problem(self, error: NoondayError) -> None:
        problem(error, as_json=self.as_json)

    def confirm(self, question: str) -> bool:
        """Ask on the terminal; Ctrl-C and end of input mean no. Only when `may_ask`."""
        try:
            return click.confirm(question, err=True)
        except click.Abort:
            click.echo(err=True)
            return False

    def console(self) -> Console:
        return Console(file=sys.stdout, force_terminal=self.live, highlight=False, emoji=False, markup=False)


def problem(error: NoondayError, *, as_json: bool) -> None:
    """An error on stderr: a line of what is wrong, a line of what to do."""
    if as_json:
        raw = {"rule": error.rule, "text": error.text, "next_action": error.next_action}
        click.echo(json.dumps(raw), err=True)
        return
    where = ", ".join(part for part in (error.host, error.step) if part)
    click.echo(clean(f"{where}: {error.text}" if where else error.text), err=True)
    if error.next_action:
        click.echo(clean(f"Next: {error.next_action}"), err=True)


def plain(text: RenderableType, width: int = _PLAIN_WIDTH) -> str:
    """A renderable as text without colours, wrapping or trailing blanks."""
    console = Console(width=width, no_color=True, color_system=None, highlight=False, emoji=False, markup=False)
    with console.capture() as capture:
        console.print(text, end="")
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _plain(value: BaseModel | Mapping[str, Any]) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
