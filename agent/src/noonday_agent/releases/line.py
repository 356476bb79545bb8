"""One connection to a source of releases, which says within a time, or what it was cut off for."""

from __future__ import annotations

import http.client
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar
from urllib.error import URLError

from noonday_agent.cutoff import Cutoff
from noonday_agent.releases.effort import Effort
from noonday_agent.releases.sources import Reader, open_source, shown, unreachable
from noonday_shared.errors import NoondayError, Temporary

T = TypeVar("T")
_CHUNK = 1 << 18


class Line:
    """Cut as soon as the effort is over, and where an answer, or a piece of it, is not there within `stall` seconds."""

    def __init__(self, source: str, effort: Effort, stall: float) -> None:
        self._source = source
        self._effort = effort
        self._stall = stall
        self._until = math.inf

    @contextmanager
    def pieces(self, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Where it begins (`start` or 0), and the pieces from there. Raises as `open_source` and `Effort.go_on`."""
        silence = max(0.001, min(self._stall, self._effort.left()))
        with Cutoff(self._rest) as cutoff:
            opened = self._answer(
                cutoff, lambda: open_source(self._source, start=start, timeout=silence, cutoff=cutoff)
            )
            with closing(opened.reader):
                yield opened.start, self._read(opened.reader, cutoff)

    def _read(self, reader: Reader, cutoff: Cutoff) -> Iterator[bytes]:
        while True:
            self._effort.go_on()
            chunk = self._answer(cutoff, lambda: reader.read1(_CHUNK))
            if not chunk:
                break
            yield chunk
        # What an HTTP response still owes: read1 ends as silently where the connection broke as at the end.
        if getattr(reader, "length", None):
            raise Temporary(f"{shown(self._source)} broke off in the middle.", rule="broke-off")

    def _answer(self, cutoff: Cutoff, ask: Callable[[], T]) -> T:
        """What the source says. A cut looks like an end, a short answer or any trouble: so it is named first."""
        self._until = time.monotonic() + self._stall
        try:
            answer = ask()
        except NoondayError:
            self._refuse_if_cut(cutoff)
            raise
        except (OSError, http.client.HTTPException) as error:
            self._refuse_if_cut(cutoff)
            raise unreachable(self._source, error) from error
        finally:
            self._until = math.inf  # a disk may take its time over what came
        self._refuse_if_cut(cutoff)
        return answer

    def _refuse_if_cut(self, cutoff: Cutoff) -> None:
        if not cutoff.made:
            return
        late = TimeoutError(f"timed out, nothing whole came within {self._stall:g} s")
        self._effort.last_error = self._effort.last_error or f"{shown(self._source)} was still awaited."
        self._effort.go_on()
        raise unreachable(self._source, late) from (late if cutoff.connected else URLError(late))

    def _rest(self) -> float:
        return min(self._effort.rest(), self._until - time.monotonic())
