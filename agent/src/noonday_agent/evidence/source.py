"""Where log lines come from: a followed file or a unit's journal."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """A pull interface without a thread of its own; one thread calls it. Nothing here raises or blocks on anything but
    files."""

    @property
    def name(self) -> str:
        """What a person knows it by: a path, or 'journal of web.service'."""
        ...

    @property
    def trouble(self) -> str:
        """Why nothing is read now, as a sentence; empty while all is well."""
        ...

    @property
    def behind(self) -> int:
        """Bytes known to wait unread."""
        ...

    @property
    def dropped(self) -> int:
        """Bytes that were skipped since the start."""
        ...

    def read(self, most: int) -> list[bytes]:
        """At most about `most` bytes of whole lines, without their ends; empty when nothing new is there."""
        ...

    def skip_to_end(self) -> None:
        """Leave unread, and count as dropped, what waits now."""

    def close(self) -> None:
        """Let go of everything open."""
