"""Values of the verdict as compressed JSON: read back, they are equal to the last bit."""

from __future__ import annotations

import zlib
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from noonday_shared.errors import Permanent

T = TypeVar("T")


class Blob(Generic[T]):
    """`what`: the value's name in messages."""

    def __init__(self, what: str, kind: type[T]) -> None:
        self._what = what
        self._adapter = TypeAdapter(kind)

    def pack(self, value: T) -> bytes:
        return zlib.compress(self._adapter.dump_json(value), 3)

    def unpack(self, body: bytes) -> T:
        """Raises `Permanent` for what this version can't read."""
        try:
            return self._adapter.validate_json(zlib.decompress(body))
        except (zlib.error, ValidationError) as error:
            raise Permanent(
                f"A kept {self._what} can't be read: {str(error).splitlines()[0]}.",
                rule="windows",
                next_action="move windows.sqlite away: what was counted before is then forgotten",
            ) from error
