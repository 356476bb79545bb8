"""Log files with NUL bytes in them: made before they were written, or cut to nothing under a writer that went on."""

from __future__ import annotations

from io import RawIOBase
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 1 << 18
_NUL = b"\0"


def has_nuls(piece: bytes) -> bool:
    return piece.find(_NUL) >= 0


class WithoutNuls(RawIOBase):
    """What `inner` holds but its NULs, read forwards only. Closes `inner` with itself."""

    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._left and (chunk := self._inner.read(_CHUNK)):
            self._left = chunk.translate(None, _NUL) if has_nuls(chunk) else chunk
        taken = min(len(view), len(self._left))
        view[:taken], self._left = self._left[:taken], self._left[taken:]
        return taken

    def close(self) -> None:
        self._inner.close()
        super().close()
