"""`python -m examples.webshop`: play the demo. Exit status 0 when every bar was reached, 1 when one was missed."""

from __future__ import annotations

import argparse
import os
import sys

from examples.webshop.demo import run
from examples.webshop.keep import keep
from examples.webshop.signals import Asked, end_in_order
from examples.webshop.world import World
from noonday_shared.errors import NoondayError


def main() -> int:
    parser = argparse.ArgumentParser(description="Noonday releases a web shop at noon, on real parts, under load.")
    parser.add_argument("--keep", action="store_true", help="leave it running afterwards; as KEEP=1 does")
    stay = parser.parse_args().keep or os.environ.get("KEEP", "") not in ("", "0")
    end_in_order()
    try:
        result = run(sys.stdout, then=keep if stay else _leave)
    except NoondayError as error:
        print(f"\nThe demo could not be played: {error}", file=sys.stderr)
        return 1
    except Asked as asked:
        print("\nStopped, and everything that was started is ended.", file=sys.stderr)
        return 128 + asked.number
    return 1 if result.missed else 0


def _leave(_: World) -> None:
    """Nothing is kept."""


if __name__ == "__main__":
    sys.exit(main())
