"""The journal on disk: written whole, fsynced, renamed; read once at start."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from noonday_agent.core.journal import Journal
from noonday_shared.errors import Permanent
from noonday_shared.files import write_whole

_JOURNAL = TypeAdapter(Journal)


class JournalFile:
    def __init__(self, path: Path, app: str) -> None:
        self._path = path
        self._app = app

    def load(self) -> Journal:
        """The journal, or a new one where there is none. Raises `Permanent` when it can't be read."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return Journal(self._app)
        except OSError as error:
            raise self._unusable(error.strerror or "it can't be read") from error
        try:
            return _JOURNAL.validate_json(raw)
        except ValidationError as error:
            raise self._unusable("it is not a journal of this version") from error

    def save(self, journal: Journal) -> None:
        """Raises `Permanent` (rule `journal`) when the disk refuses: then nothing may be done that it does not know."""
        try:
            write_whole(self._path, _JOURNAL.dump_json(journal), mode=0o600)
        except OSError as error:
            raise self._unusable(error.strerror or "it can't be written") from error

    def _unusable(self, why: str) -> Permanent:
        return Permanent(
            f"The journal {self._path} can't be used: {why}.",
            rule="journal",
            next_action=f"make room, or move {self._path} away: the agent then looks at the world afresh",
        )
