"""Signals that end a run in order."""

from __future__ import annotations

import signal
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Asked(BaseException):
    """Somebody asked for the end. Not an Exception: nothing but a `main` may catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_in_order() -> None:
    """From now on the first Ctrl-C, TERM or HUP raises `Asked` in the main thread; later ones don't disturb the end."""

    def asked(number: int, _: FrameType | None) -> None:
        for again in _ENDING:
            signal.signal(again, signal.SIG_IGN)
        raise Asked(number)

    for number in _ENDING:
        signal.signal(number, asked)
