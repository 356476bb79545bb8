"""Writes docs/config.md from the models that read the files, so that it can't say anything else than they do.

python docs/generate_config.py
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from noonday_agent.config import AgentConfig
from noonday_coordinator.config import CoordinatorConfig
from noonday_coordinator.core.policy import Policy, Share, ShareOrNone, Shares
from noonday_shared.config import Settings
from noonday_shared.release.manifest import ReleaseManifest

PAGE = Path(__file__).with_name("config.md")

_HEAD = """\
# Configuration

Four kinds of file, all of them TOML. This page is made from the code that reads them (`docs/generate_config.py`).
Annotated examples lie in [examples/](../examples/agent.toml).

- An unknown key is an error that names its path and the nearest known key. Nothing is guessed.
- Seconds may have a fraction. A count is a whole number.
- A share of hosts is a count (`2`) or a percentage (`"25%"`).
- A command is a list of words, as in `["/usr/local/sbin/restart-web", "--now"]`. No shell reads it.
"""

_FILES: tuple[tuple[str, str, type[Settings]], ...] = (
    (
        "agent.toml",
        "On every web server, `/etc/noonday/agent.toml` unless `--config` says otherwise. Owned by root, mode 0600: it "
        "holds the broker's password. `noonday enroll` prints the part above `[apps]`. The agent reads it once, when "
        "it starts. `noonday-agent check` tries all that it names. Example: "
        "[examples/agent.toml](../examples/agent.toml).",
        AgentConfig,
    ),
    (
        "coordinator.toml",
        "On the coordinator's host, made by `noonday init`, mode 0600. Read once, when `noonday serve` starts. "
        'A new token is any long random text, as `openssl rand -base64 32` makes it; `printf %s "$TOKEN" | sha256sum` '
        "gives its `sha256`. Example: [examples/coordinator.toml](../examples/coordinator.toml).",
        CoordinatorConfig,
    ),
    (
        "apps/APP.toml",
        "One policy for each app, in `apps_dir` beside coordinator.toml. Read again at each use: an edit counts from "
        "the next rollout on, and a rollout under way keeps the policy that it began with. Example: "
        "[examples/apps/web.toml](../examples/apps/web.toml).",
        Policy,
    ),
    (
        "release.toml",
        "At the top of a release's folder, and so inside its archive. Paths of files are inside the release, paths of "
        "the app's HTTP begin with `/`. A file `.noondayignore` beside it leaves files out of the archive, one pattern "
        "a line: `*.log` matches a name anywhere, `tmp/*` a path from the top, `cache/` only folders. `.git` and "
        "`__pycache__` are always left out. Example: [examples/release.toml](../examples/release.toml).",
        ReleaseManifest,
    ),
)


def render() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, words, model in _FILES:
        parts += [f"## {name}\n", f"{words}\n", *_table(model)]
    return "\n".join(parts)


def _table(model: type[Settings], path: str = "", *, header: str = "", need: str = "") -> Iterator[str]:
    """One TOML table: its heading, its keys, then the tables below it."""
    if header:
        yield f"### `{header}`\n"
    words = f"{' '.join(inspect.cleandoc(model.__doc__ or '').split())} {need}".strip()
    if words:
        yield f"{words}\n"
    plain = {name: field for name, field in model.model_fields.items() if not _models(field.annotation)}
    if plain:
        yield "| key | value | default | meaning |\n|---|---|---|---|"
        yield from (_row(name, field) for name, field in plain.items())
        yield ""
    for name, field in model.model_fields.items():
        if name not in plain:
            yield from _below(name, field, path)


def _below(name: str, field: FieldInfo, path: str) -> Iterator[str]:
    """The tables that a key holds: one, many, or one of several kinds."""
    models = _models(field.annotation)
    many, named = get_origin(field.annotation) is tuple, get_origin(field.annotation) is dict
    inner = f"{path}{name}" + (".NAME" if named else "")
    header = f"[[{inner}]]" if many else f"[{inner}]"
    need = "Needed." if field.is_required() else "May be absent."
    if len(models) == 1:
        yield from _table(models[0], f"{inner}.", header=header, need=need)
        return
    yield f"### `{header}`\n"
    yield f"{_sentence(field)} {need} What it holds depends on `kind`:\n"
    for model in models:
        kind = get_args(model.model_fields["kind"].annotation)[0]
        yield from _table(model, f"{inner}.", header=f'{header} with kind = "{kind}"')


def _row(name: str, field: FieldInfo) -> str:
    default = "needed" if field.is_required() else f"`{_toml(field.default)}`"
    if not field.is_required() and field.default in (None, "", ()):
        default = "none"
    cells = (f"`{name}`", _value(field), default, _sentence(field))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def _value(field: FieldInfo) -> str:
    """The unit and the bounds, in words."""
    if list(field.metadata) and field.metadata[0] in (*get_args(Share), *get_args(ShareOrNone)):
        return "share of hosts"
    if list(field.metadata) and field.metadata[0] in get_args(Shares):
        return "share of hosts, or list of them"
    words = _words(field.annotation)
    if words == "seconds" and any(isinstance(one, Le) and float(str(one.le)) <= _SMALL for one in field.metadata):
        words = "number"
    return words + _bounds(field.metadata) if words in ("seconds", "count", "number") else words


def _words(annotation: Any) -> str:
    origin, inner = get_origin(annotation), [one for one in get_args(annotation) if one is not NoneType]
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if origin is Literal:
        return " or ".join(f"`{_toml(value)}`" for value in inner)
    if origin is tuple:
        return _list_of(inner[0])
    if origin is dict:
        return "table of texts"
    return _words(inner[0])


def _list_of(annotation: Any) -> str:
    if annotation == Share:
        return "list of shares of hosts"
    if get_origin(annotation) is not None and Literal["canary"] in get_args(annotation):
        return 'list of `"canary"` and counts'
    return "list of texts"


_SMALL = 10.0
"""A float that can't be greater is a share or a factor: every wait may be longer."""
_SIMPLE = {float: "seconds", int: "count", str: "text", Path: "path", bool: "`true` or `false`"}


def _bounds(metadata: list[Any]) -> str:
    low = next((one.ge for one in metadata if isinstance(one, Ge)), None)
    above = next((one.gt for one in metadata if isinstance(one, Gt)), None)
    high = next((one.le for one in metadata if isinstance(one, Le)), None)
    words = (("≥", low), (">", above), ("≤", high))
    return "".join(f", {sign} {bound}" for sign, bound in words if bound is not None)


def _sentence(field: FieldInfo) -> str:
    text = field.description or ""
    return f"{text[:1].upper()}{text[1:]}." if not re.match(r"[a-z]+://", text) else f"{text}."


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case tuple():
            return f"[{', '.join(_toml(one) for one in value)}]"
        case _:
            return f'"{value}"'


def _models(annotation: Any) -> list[type[Settings]]:
    """The tables inside a type, in order; none for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def undescribed(model: type[Settings]) -> list[str]:
    """Keys that say nothing of their meaning, below `model` too."""
    found = [f"{model.__name__}.{name}" for name, field in model.model_fields.items() if not field.description]
    inner = [below for field in model.model_fields.values() for below in _models(field.annotation)]
    return found + [key for below in inner for key in undescribed(below)]


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} is written.\n")
