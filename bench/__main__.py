"""`python -m bench`: measure, print the table, keep every number in a JSON file. Exit status 1 when a bar is missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bench import demo_load, first_work, hosts, idle, logs, restart
from bench.figures import Figure, keep, show
from examples.webshop.server import APP
from examples.webshop.signals import Asked, end_in_order
from examples.webshop.world import Shape, World, world
from noonday_shared.errors import NoondayError, Temporary

PARTS = ("demo", "logs", "restart", "hosts", "first", "idle")


def main() -> int:
    parser = argparse.ArgumentParser(description="What Noonday claims, measured in one run.")
    parser.add_argument("--only", choices=PARTS, action="append", help="may be repeated; all when absent")
    parser.add_argument("--out", type=Path, help="folder for the JSON file; a temporary one when absent")
    args = parser.parse_args()
    end_in_order()
    try:
        figures = _measure(args.only or PARTS)
    except NoondayError as error:
        print(f"The bench could not be run: {error}", file=sys.stderr)
        return 1
    except Asked as asked:
        print("\nStopped, and everything that was started is ended.", file=sys.stderr)
        return 128 + asked.number
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print()
    show(figures, console)
    console.print(f"\nEvery number: {keep(figures, args.out, 'bench')}", soft_wrap=True)
    return 1 if any(figure.reached is False for figure in figures) else 0


def _measure(parts: tuple[str, ...] | list[str]) -> list[Figure]:
    figures = [demo_load.measure()] if "demo" in parts else []
    if "logs" in parts:
        _say("Measuring: logs")
        figures += logs.measure(logs.data_folder())
    if "restart" in parts:
        _say("Measuring: restart")
        figures.append(restart.measure())
    wanted = [part for part in PARTS[3:] if part in parts]
    if not wanted:
        return figures
    _say("A fleet without load, for the other figures:")
    # Nothing is compared here, so that a rollout holds nothing but the hosts' own steps.
    with world(Shape(examine=0.0), sys.stderr, lambda line: _say(f"  {line}")) as made:
        for version in ("1.1.0", "1.0.0"):
            if made.coordinator.typed.show("deploy", APP, version, "--yes"):
                raise Temporary(f"{version} was not rolled out, so nothing can be measured.")
        for part in wanted:
            figures += _measured(part, made)
    return figures


def _measured(part: str, made: World) -> list[Figure]:
    _say(f"Measuring: {part}")
    one: dict[str, Callable[[World], Figure | list[Figure]]] = {
        "hosts": hosts.measure,
        "first": first_work.measure,
        "idle": idle.measure,
    }
    found = one[part](made)
    return found if isinstance(found, list) else [found]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
