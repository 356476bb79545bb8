"""What every command has: `--json`, the way to the coordinator, errors as sentences and exit statuses."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import click
import httpx

from noonday_coordinator.cli.client import DEFAULT_URL, Client, find_token
from noonday_coordinator.cli.exits import Exit
from noonday_coordinator.cli.follow import Follower
from noonday_coordinator.cli.output import Output, problem
from noonday_shared.clock import Clock, SystemClock
from noonday_shared.errors import BadInput, NoondayError

_AS_JSON = "noonday.json"


@dataclass(frozen=True)
class Seams:
    """What tests put in the place of network, time and terminal; given to click as the context's object."""

    transport: httpx.BaseTransport | None = None
    clock: Clock = field(default_factory=SystemClock)
    terminal: bool | None = None


@dataclass
class Session:
    out: Output
    clock: Clock
    client: Client

    def follow(self, rollout: str, app: str) -> Exit:
        return Follower(self.client, self.out, self.clock).follow(rollout, app)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Go on only with a yes. Raises `BadInput` for a no, and where nobody can be asked."""
        if yes:
            return
        if not self.out.may_ask:
            raise BadInput(
                "Refused: this asks for a yes, and there is no prompt without a terminal (or with --json).",
                rule="no-prompt",
                next_action="look at the plan with --plan, then pass --yes",
            )
        if not self.out.confirm(question):
            raise BadInput("Nothing was changed: you did not say yes.", rule="declined")


def local(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that needs no coordinator: gets an `Output` first, has `--json`."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; errors as JSON on stderr.")
    @click.pass_context
    def run(ctx: click.Context, /, as_json: bool, **arguments: Any) -> None:
        ctx.exit(command(_output(ctx, as_json), **arguments) or Exit.DONE)

    return functools.update_wrapper(run, command)


def connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that asks the coordinator: gets a `Session` first, has `--json`, `--url` and `--token-file`."""

    @click.option("--json", "as_json", is_flag=True, help="JSON on stdout; errors as JSON on stderr.")
    @click.option("--url", envvar="NOONDAY_URL", default=DEFAULT_URL, show_default=True, help="The coordinator.")
    @click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        help="Holds the token. Else NOONDAY_TOKEN, else ~/.config/noonday/token.",
    )
    @click.pass_context
    def run(ctx: click.Context, /, as_json: bool, url: str, token_file: Path | None, **arguments: Any) -> None:
        seams = _seams(ctx)
        client = Client(url, find_token(token_file, os.environ), transport=seams.transport)
        ctx.call_on_close(client.close)
        session = Session(_output(ctx, as_json), seams.clock, client)
        ctx.exit(command(session, **arguments) or Exit.DONE)

    return functools.update_wrapper(run, command)


why = click.option("--why", default="", help="Kept in the history.")
"""Of what a person does that others may ask about later."""


class NoondayGroup(click.Group):
    """Ends every error in a sentence, what to do next, and the exit status that says which kind it was."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta.setdefault(_AS_JSON, "--json" in args)
        with _explained(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _explained(ctx):
            return super().invoke(ctx)


@contextmanager
def _explained(ctx: click.Context) -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        help_of = error.ctx.command_path if error.ctx else ctx.command_path
        usage = BadInput(error.format_message(), rule="usage", next_action=f"{help_of} --help")
        _end(ctx, usage, Exit.REFUSED)
    except NoondayError as error:
        _end(ctx, error, Exit.REFUSED if isinstance(error, BadInput) else Exit.UNEXPECTED)


def _end(ctx: click.Context, error: NoondayError, code: Exit) -> NoReturn:
    problem(error, as_json=bool(ctx.meta.get(_AS_JSON)))
    ctx.exit(code)


def _output(ctx: click.Context, as_json: bool) -> Output:
    return Output(as_json=as_json, terminal=_seams(ctx).terminal)


def _seams(ctx: click.Context) -> Seams:
    return ctx.obj if isinstance(ctx.obj, Seams) else Seams()
