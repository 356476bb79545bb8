"""Many seeds, for as long as one likes: `PYTHONPATH=tests python -m simulation.run --seeds 1000 [--first 1]`.

One seed, with its whole history: `PYTHONPATH=tests python -m simulation.run --seed 17`.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
from collections import Counter

from simulation.script import Script, script
from simulation.world import World


def play(story: Script) -> World:
    """The world after its whole story. Raises `AssertionError` with the history when a rule was broken."""
    world = World(story)
    try:
        world.run()
    except Exception as error:
        where = "" if isinstance(error, AssertionError) else f"\n{traceback.format_exc()}"
        last = f"seed {story.seed}: {error or type(error).__name__}"
        raise AssertionError(f"{last}{where}\n{story}\n{world.trail}\n{last}") from error
    return world


def ends(world: World) -> Counter[str]:
    """How its rollouts ended, by word."""
    rollouts = world.coordinator.engine.state.rollouts.values()
    return Counter(f"{one.kind} {one.end}" for one in rollouts)


def main() -> int:
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--keep-going", action="store_true", help="only a line for each seed that fails")
    options = parser.parse_args()
    if options.seed is not None:
        print(play(script(options.seed)).trail)
        return 0
    total: Counter[str] = Counter()
    failed, began = 0, time.monotonic()
    for seed in range(options.first, options.first + options.seeds):
        try:
            total += ends(play(script(seed)))
        except AssertionError as error:
            failed += 1
            print(str(error).rpartition("\n")[2] if options.keep_going else error, flush=True)
            if not options.keep_going:
                return 1
    print(f"{options.seeds} seeds, {failed} failed, {time.monotonic() - began:.0f} s; {dict(total)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
