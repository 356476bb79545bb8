"""The annotated examples are files that Noonday takes, and they leave no key out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from noonday_agent import config as agent
from noonday_coordinator import config as coordinator
from noonday_coordinator.core.policy import Policy
from noonday_shared.config import Settings, parse_toml
from noonday_shared.release import FILE_NAME, ReleaseManifest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_example_of_agent_toml_shows_every_kind_of_driver() -> None:
    apps = agent.load(EXAMPLES / "agent.toml").apps.values()
    assert {app.process.kind for app in apps} == {"supervisord", "systemd", "command"}
    assert {each.kind for app in apps for each in app.balancers} == {"haproxy", "endpoint", "file", "command"}


def test_the_example_of_a_policy_lies_where_the_example_coordinator_looks() -> None:
    config = coordinator.load(EXAMPLES / "coordinator.toml")
    assert coordinator.Policies(config.apps_dir).names() == ("web",)
    assert coordinator.Policies(config.apps_dir).of("web").gates == ("canary", 1)


def test_the_example_release_says_all_but_its_version() -> None:
    text = f'version = "1.4.0"\n{(EXAMPLES / FILE_NAME).read_text()}'
    assert parse_toml(text, ReleaseManifest, where=FILE_NAME).hooks.pre_activate


@pytest.mark.parametrize(
    ("file", "model"),
    [
        ("agent.toml", agent.AgentConfig),
        ("coordinator.toml", coordinator.CoordinatorConfig),
        ("apps/web.toml", Policy),
        ("release.toml", ReleaseManifest),
    ],
)
def test_an_example_names_every_key(file: str, model: type[Settings]) -> None:
    text = (EXAMPLES / file).read_text()
    assert not [key for key in _keys(model) if not re.search(rf"\b{key}\b", text)]


@pytest.mark.parametrize(
    ("file", "model"), [("apps/web.toml", Policy), ("agent.toml", agent.AgentConfig), ("release.toml", ReleaseManifest)]
)
def test_what_an_example_calls_a_default_is_one(file: str, model: type[Settings]) -> None:
    told = re.findall(r"^(\w+) = (\S+) +#.*\(default\)$", (EXAMPLES / file).read_text(), re.MULTILINE)
    defaults = [(key, _plain(value)) for key, value in _defaults(model)]
    assert not [(key, value) for key, value in told if (key, value.strip('"')) not in defaults]


def _keys(model: type[Settings]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for below in _models(field.annotation):
            yield from _keys(below)


def _defaults(model: type[Settings]) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield name, field.default
        for below in _models(field.annotation):
            yield from _defaults(below)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _models(annotation: Any) -> list[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
