"""Bytes brought here from a source that may stall, break off, begin again, or lie.

Only the sha256 decides whether a file is whole, so a broken download goes on where it stopped, and what a server
says about itself is never believed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

from noonday_agent.releases.disk import disk_errors
from noonday_agent.releases.effort import Effort
from noonday_agent.releases.line import Line
from noonday_agent.releases.sources import nobody_answers, shown
from noonday_shared.errors import BadInput, NoondayError, Temporary
from noonday_shared.release.manifest import SignedRelease
from noonday_shared.release.signed import digest_mismatch, digest_of

log = logging.getLogger(__name__)

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Bytes that are here, and bytes in all."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How a source is tried again. Seconds, and tries in a row that brought nothing new."""

    tries: int = 8
    first_pause: float = 0.5
    longest_pause: float = 8.0
    stall: float = 10.0
    """After so long without a byte, or without the whole of an answer's beginning, a connection is taken for dead."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """One source, tried again until the effort is over."""

    source: str
    effort: Effort
    patience: Patience

    def small(self, limit: int) -> bytes:
        """All of a small file. Raises as `open_source` and `Effort.go_on`; `BadInput` beyond `limit` bytes."""
        return self._patiently(lambda: self._all(limit), lambda: 0)

    def archive(self, part: Path, signed: SignedRelease, progress: Progress) -> None:
        """Bring the signed archive into `part`, going on from what is there already.

        Raises `BadInput` (`release-not-found`, `larger-than-signed`, `digest-mismatch`), `Permanent` (`disk-full`,
        `source-refused`), `Temporary` when the source stays away, and as `Effort.go_on`. What came so far stays in
        `part`, unless it is known to be wrong or the disk is full.
        """
        self._patiently(lambda: self._whole(part, signed, progress), lambda: _size(part))

    def _patiently(self, attempt: Callable[[], T], reached: Callable[[], int]) -> T:
        """Gives up after `patience.tries` in a row that did not get further than ever before; but where bytes have come
        and nobody answers now, only at the deadline: an address that is wrong shows at once, a network that is cut
        comes back."""
        tries, furthest = 0, reached()
        while True:
            self.effort.go_on()
            try:
                return attempt()
            except Temporary as error:
                self.effort.last_error = error.text
                self.effort.go_on()
                tries = 1 if reached() > furthest else tries + 1
                furthest = max(furthest, reached())
                if tries >= self.patience.tries and not (furthest and nobody_answers(error)):
                    raise
                log.info("%s: tried %d times: %s", self.effort.what, tries, error.text)
            self.effort.pause(_back_off(tries, self.patience))

    def _all(self, limit: int) -> bytes:
        data = b""
        with self._line().pieces(0) as (_, chunks):
            for chunk in chunks:
                data += chunk
                if len(data) > limit:
                    raise _too_large(self.source, limit)
        return data

    def _whole(self, part: Path, signed: SignedRelease, progress: Progress) -> None:
        resumed = _size(part) > 0
        if _size(part) < signed.size:
            try:
                self._pull(part, signed, progress)
            except NoondayError as error:
                if error.rule in ("disk-full", "larger-than-signed"):
                    part.unlink(missing_ok=True)
                raise
        if _size(part) == signed.size and digest_of(part, self.effort.go_on) == signed.digest:
            return
        part.unlink(missing_ok=True)
        if not resumed:
            raise digest_mismatch(shown(self.source), signed)
        raise Temporary(f"The pieces of {shown(self.source)} don't fit; it is fetched anew.", rule="pieces-differ")

    def _pull(self, part: Path, signed: SignedRelease, progress: Progress) -> None:
        with self._line().pieces(_size(part)) as (start, chunks):
            here = start
            with (
                disk_errors(part.parent, self.effort.what, needed=signed.size - start),
                part.open("r+b" if start else "wb") as file,
            ):
                file.seek(start)
                for chunk in chunks:
                    here += len(chunk)
                    if here > signed.size:
                        raise _too_large(self.source, signed.size)
                    file.write(chunk)
                    progress(here, signed.size)
        if here < signed.size:
            raise Temporary(f"{shown(self.source)} ended after {here} of {signed.size} bytes.", rule="broke-off")

    def _line(self) -> Line:
        return Line(self.source, self.effort, self.patience.stall)


def _back_off(tries: int, patience: Patience) -> float:
    # Jittered, as a whole fleet loses the same server at the same moment.
    longest = min(patience.longest_pause, patience.first_pause * 2.0 ** (tries - 1))
    return SystemRandom().uniform(longest / 2, longest)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _too_large(source: str, limit: int) -> BadInput:
    return BadInput(
        f"{shown(source)} is larger than the {limit} bytes that were announced.",
        rule="larger-than-signed",
        next_action="push the release again: noonday release push",
    )
