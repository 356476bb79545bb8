"""`python -m examples.webshop`: play the demo. Exit status 0 when every bar was reached, 1 when one was missed."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType

from examples.webshop.demo import run
from examples.webshop.keep import keep
from examples.webshop.world import World
from noonday_shared.errors import NoondayError


def main() -> int:
    parser = argparse.ArgumentParser(description="Noonday releases a web shop at noon, on real parts, under load.")
    parser.add_argument("--keep", action="store_true", help="leave it running afterwards; as KEEP=1 does")
    stay = parser.parse_args().keep or os.environ.get("KEEP", "") not in ("", "0")
    _end_in_order()
    try:
        result = run(sys.stdout, then=keep if stay else _leave)
    except NoondayError as error:
        print(f"\nThe demo could not be played: {error}", file=sys.stderr)
        return 1
    except _Asked as asked:
        print("\nStopped, and everything that was started is ended.", file=sys.stderr)
        return 128 + asked.number
    return 1 if result.missed else 0


class _Asked(BaseException):
    """Not an Exception: nothing but `main` may catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _end_in_order() -> None:
    """The first signal unwinds everything; later ones must not interrupt that."""

    def asked(number: int, _: FrameType | None) -> None:
        for again in signals:
            signal.signal(again, signal.SIG_IGN)
        raise _Asked(number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        signal.signal(number, asked)


def _leave(_: World) -> None:
    """Nothing is kept."""


if __name__ == "__main__":
    sys.exit(main())
