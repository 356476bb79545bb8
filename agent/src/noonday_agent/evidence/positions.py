"""How far each log was read, in a small file: what lets an agent come back without counting twice or losing lines."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import Field, ValidationError

from noonday_agent.evidence.tail import Position
from noonday_shared.envelope import Wire
from noonday_shared.files import write_whole

_log = logging.getLogger(__name__)


class Positions(Wire):
    """`files` by their path, `cursors` of journals by their unit."""

    files: dict[Path, tuple[Position, ...]] = Field(default_factory=dict)
    cursors: dict[str, str] = Field(default_factory=dict)


def load_positions(path: Path) -> Positions:
    """Empty when there is no such file. A damaged one counts as none: each log is then read from its present end."""
    try:
        return Positions.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Positions()
    except (OSError, ValidationError) as error:
        _log.warning("%s can't be used (%s): logs are read from their present end.", path, type(error).__name__)
        return Positions()


def save_positions(path: Path, kept: Positions) -> None:
    """Raises `OSError` when the disk is full or the folder is gone."""
    write_whole(path, kept.model_dump_json(), mode=0o600)
