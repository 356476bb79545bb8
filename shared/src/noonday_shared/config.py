"""TOML files that people write: read, checked, and refused with the path and the nearest known key."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from noonday_shared.errors import BadInput


class Settings(BaseModel):
    """Base of every table in a TOML file: an unknown key is an error, a read value never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Settings)


def load_toml(path: Path, model: type[S]) -> S:
    """Read `path` into `model`. Raises `BadInput` naming the file, the key's path, and the nearest known key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInput(f"{path} can't be read: {reason}.", next_action=f"check that {path} exists") from error
    return parse_toml(text, model, where=str(path))


def parse_toml(text: str, model: type[S], *, where: str) -> S:
    """As `load_toml`, from a text; `where` names it in errors."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{where} is not TOML: {error}.", next_action="mend the line it names") from error
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise BadInput(f"{where}: {say(error, model)}", next_action=f"mend {where}, see docs/config.md") from error


def say(error: ValidationError, model: type[BaseModel]) -> str:
    """The problems of a validation in one sentence each: key path, what is wrong, nearest known key."""
    return "; ".join(_sentence(problem, model) for problem in error.errors()[:5]) + "."


def _sentence(problem: ErrorDetails, model: type[BaseModel]) -> str:
    path = ".".join(str(part) for part in problem["loc"]) or "the file"
    match problem["type"]:
        case "extra_forbidden":
            key = str(problem["loc"][-1])
            known = known_keys(model, problem["loc"][:-1])
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            return f"unknown key {path} ({hint})"
        case "missing":
            return f"{path} is missing"
        case _:
            return f"{path}: {problem['msg'].removeprefix('Value error, ')}"


def known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at `path` knows, walking through lists, mappings and unions."""
    models = [model]
    for part in path:
        models = [inner for outer in models for inner in _step(outer, part)]
    return sorted({field.alias or name for found in models for name, field in found.model_fields.items()})


def _step(model: type[BaseModel], part: int | str) -> list[type[BaseModel]]:
    field = model.model_fields.get(str(part))
    # An index, a mapping's key or a union's tag names no field: the models below stay as they were found.
    return _models_in(field.annotation) if field else [model]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, list, tuple, dict) or get_args(annotation):
        return [model for inner in get_args(annotation) for model in _models_in(inner)]
    return []
