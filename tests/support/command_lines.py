"""Command lines as documentation and service files show them, held against the real commands and never run."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import click

from noonday_agent import cli as agent
from noonday_coordinator.cli.main import main

_FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_PARTS = ("|", "&&", "||", ";", ">")


def in_markdown(text: str) -> list[list[str]]:
    """The words of each `noonday …` or `noonday-agent …` in code blocks and code spans."""
    blocks = [block.replace("\\\n", " ") for block in _FENCE.findall(text)]
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    lines += _SPAN.findall(_FENCE.sub("", text))
    return [command for line in lines for command in _commands(line) if not _is_pattern(command)]


def trouble(words: Sequence[str]) -> str:
    """Why the command would refuse these words before it did anything; '' when it would not.

    A command's name alone is a name, as prose needs it, and may stand without what the command needs.
    """
    program, *rest = words
    if PurePosixPath(program).name == "noonday-agent":
        return _agent_trouble(rest)
    return _click_trouble(click.Context(main, info_name="noonday"), main, rest)


def _commands(line: str) -> Iterator[list[str]]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if word not in _PARTS:
            command.append(word.strip("[]"))
            continue
        command = _without_prefix(command)
        if len(command) > 1 and PurePosixPath(command[0]).name in ("noonday", "noonday-agent"):
            yield command
        command = []


def _without_prefix(words: list[str]) -> list[str]:
    while words and ("=" in words[0] or words[0] == "sudo"):
        words = words[3 if words[:2] == ["sudo", "-u"] else 1 :]
    return words


def _is_pattern(command: list[str]) -> bool:
    """`noonday …` and `noonday COMMAND --help` mean any command."""
    return command[1] in ("…", "COMMAND")


def _click_trouble(ctx: click.Context, command: click.Command, words: list[str]) -> str:
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(ctx, words[0])
        if found is None:
            return f"there is no command {words[0]!r}"
        return _click_trouble(click.Context(found, parent=ctx, info_name=words[0]), found, words[1:])
    try:
        given, left, _ = command.make_parser(ctx).parse_args(list(words))
    except click.UsageError as error:
        return error.format_message()
    if left:
        return f"too many words: {left}"
    needed = [param.name for param in command.params if param.required and not isinstance(given.get(param.name), str)]
    return f"without {needed}" if words and needed and given.get("help") is not True else ""


def _agent_trouble(words: list[str]) -> str:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            agent._parser().parse_args(words)
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    return ""
