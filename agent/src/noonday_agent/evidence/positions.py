"""How far each log was read, in a small file: what lets an agent come back without counting twice or losing lines."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from noonday_agent.evidence.tail import Position
from noonday_shared.envelope import Wire
from noonday_shared.files import write_whole

_log = logging.getLogger(__name__)


class _Kept(Wire):
    files: dict[str, tuple[Position, ...]] = Field(default_factory=dict)


def load_positions(path: Path) -> dict[Path, tuple[Position, ...]]:
    """Empty when there is no such file. A damaged one counts as none: each log is then read from its present end."""
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        _log.warning("%s can't be used (%s): logs are read from their present end.", path, type(error).__name__)
        return {}
    return {Path(name): positions for name, positions in kept.files.items()}


def save_positions(path: Path, positions: Mapping[Path, Sequence[Position]]) -> None:
    """Raises `OSError` when the disk is full or the folder is gone."""
    kept = _Kept(files={str(name): tuple(found) for name, found in positions.items()})
    write_whole(path, kept.model_dump_json(), mode=0o600)
