"""Poll with a deadline, instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], *, what: str, within: float = 60.0, every: float = 0.02) -> T:
    """The first truthy answer of `probe`; fails naming `what` and the last answer or error after `within` seconds."""
    deadline = time.monotonic() + within
    last: object = None
    while True:
        try:
            answer = probe()
            if answer:
                return answer
            last = answer
        except Exception as error:  # any error of the probe may pass until the deadline; the last one is shown
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not seen after {within:g} s; last: {last!r}")
        time.sleep(every)
