from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import click
import pytest

from examples.webshop.keep import keep
from examples.webshop.world import World
from noonday_coordinator.cli.main import main


class Left(Exception):
    """Somebody pressed Ctrl-C as soon as customers were to come."""


def hints(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The commands that a demo which is left running tells to try, as words."""

    def customers() -> None:
        raise Left

    typed = SimpleNamespace(env={"NOONDAY_URL": "http://127.0.0.1:1"}, out=io.StringIO())
    made = SimpleNamespace(
        coordinator=SimpleNamespace(typed=typed), port=1, folder=Path("/tmp/demo"), customers=customers
    )
    with pytest.raises(Left):
        keep(cast(World, made))
    lines = [line.partition("#")[0] for line in capsys.readouterr().out.splitlines()]
    told = [part.split() for line in lines for part in line.split(";")]
    return [words[1:] for words in told if words[:1] == ["noonday"]]


def test_each_command_that_the_demo_tells_to_try_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    context = click.Context(main)
    for words in hints(capsys):
        found = main.get_command(context, words[0])
        if isinstance(found, click.Group):
            found = found.get_command(context, words[1])
        assert found is not None, words
        known = {flag for option in found.params for flag in (*option.opts, *option.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, words


def test_the_demo_tells_to_try_what_the_verdict_offers(capsys: pytest.CaptureFixture[str]) -> None:
    tried = {words[0] for words in hints(capsys)}
    assert {"findings", "compare", "replay", "caveats", "logs"} <= tried
