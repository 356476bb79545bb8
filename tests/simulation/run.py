"""Many stories, or one with its whole history: `make simulate [ROLLOUTS=n] [SEED=n] [BROKEN=name] [FIRST=n]`."""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

from simulation.broken import BROKEN, broken
from simulation.script import Script
from simulation.shrink import shrink
from simulation.variety import kinds, script
from simulation.world import World

BATCH = 10
MOST = 2000
"""Seeds that are played in search of what was broken on purpose."""


@dataclass
class Tally:
    """What was played."""

    seeds: int = 0
    checks: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    died_at: Counter[str] = field(default_factory=Counter)
    worlds: Counter[str] = field(default_factory=Counter)
    """Rollouts in worlds of some kind."""
    failures: list[tuple[int, str]] = field(default_factory=list)

    @property
    def rollouts(self) -> int:
        return sum(self.ends.values())

    def add(self, other: Tally) -> None:
        self.seeds += other.seeds
        self.checks += other.checks
        self.ends += other.ends
        self.faults += other.faults
        self.died_at += other.died_at
        self.worlds += other.worlds
        self.failures += other.failures

    def note(self, world: World) -> None:
        rollouts = world.coordinator.engine.state.rollouts.values()
        self.seeds += 1
        self.checks += world.rules.checks
        self.ends += Counter(f"{one.kind}: {one.end or 'under way'}" for one in rollouts)
        self.faults += world.mishaps.happened + Counter(
            {f"messages {how}": n for how, n in world.broker.struck.items()}
        )
        self.died_at += world.crashes.died_at
        self.worlds += Counter({kind: len(rollouts) for kind in kinds(world.script)})


def tell(story: Script) -> tuple[World, str]:
    """The world after its story, and what went wrong in it, in words."""
    world = World(story)
    try:
        world.run()
    except AssertionError as error:
        return world, str(error)
    except Exception as error:
        return world, f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    return world, ""


def play(story: Script) -> World:
    """The world after its whole story. Raises `AssertionError` with the history when a rule was broken."""
    world, words = tell(story)
    if words:
        raise AssertionError(f"seed {story.seed}: {words}\n{story}\n{world.trail}\nseed {story.seed}: {words}")
    return world


def breaks(story: Script) -> str:
    """The rule that a story breaks; empty when none."""
    words = tell(story)[1]
    return words.split(":")[0] if words else ""


def batch(first: int, count: int) -> Tally:
    logging.disable(logging.CRITICAL)
    tally = Tally()
    for seed in range(first, first + count):
        world, words = tell(script(seed))
        tally.note(world)
        if words:
            tally.failures.append((seed, words.partition("\n")[0]))
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=10_000, help="go on until so many were played")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="only this one, with its history")
    parser.add_argument("--broken", choices=sorted(BROKEN), help="with code that is broken on purpose")
    parser.add_argument("--within", type=float, default=86_400.0, help="seconds after which no more are begun")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.seed is not None:
        with broken(options.broken) if options.broken else nullcontext():
            return _one(options.seed)
    if options.broken:
        return _search(options.broken, options.first)
    return _many(options.rollouts, options.first, options.processes, options.within)


def _one(seed: int) -> int:
    world, words = tell(script(seed))
    print(f"{world.script}\n{world.trail}")
    if not words:
        print(f"\nSeed {seed}: every rule held after each of {world.rules.checks} events.")
        return 0
    print(f"\nSeed {seed}: {words}\n\nThe shortest story that breaks the same rule:")
    shortest = shrink(world.script, breaks)
    world, words = tell(shortest)
    print(f"{shortest}\n{world.trail}\n\nSeed {seed}: {words}")
    return 1


def _search(name: str, first: int) -> int:
    """Until a seed notices it. Succeeds when one does."""
    with broken(name):
        for number, seed in enumerate(range(first, first + MOST), 1):
            words = tell(script(seed))[1]
            if words:
                print(f"{name}: noticed by seed {seed}, the {number}. that was played: {words.partition(chr(10))[0]}")
                return 0
    print(f"{name}: not noticed by {MOST} seeds")
    return 1


def _many(rollouts: int, first: int, processes: int, within: float) -> int:
    began, total = time.monotonic(), Tally()

    def more() -> bool:
        return total.rollouts < rollouts and time.monotonic() - began < within

    with ProcessPoolExecutor(processes) as pool:
        for tally in _in_turn(pool, first, processes, more):
            total.add(tally)
            for seed, words in tally.failures:
                print(f"seed {seed}: {words}", flush=True)
    _report(total, time.monotonic() - began)
    return 1 if total.failures else 0


def _in_turn(pool: ProcessPoolExecutor, first: int, processes: int, more: Callable[[], bool]) -> Iterator[Tally]:
    """Batches in the order of their seeds, so that the same call always plays the same seeds."""
    waiting = [pool.submit(batch, first + n * BATCH, BATCH) for n in range(2 * processes)]
    number = len(waiting)
    while waiting:
        yield waiting.pop(0).result()
        if more():
            waiting.append(pool.submit(batch, first + number * BATCH, BATCH))
            number += 1
        else:
            for rest in waiting:
                rest.cancel()
            return


def _report(total: Tally, seconds: float) -> None:
    print(f"{total.rollouts} rollouts in {total.seeds} stories, {total.checks} events, after each of which every rule")
    print(f"was checked: {len(total.failures)} violations, {seconds:.0f} s.")
    for title, counts in (
        ("Ends", total.ends),
        ("Worlds", total.worlds),
        ("Faults", total.faults),
        ("Died at", total.died_at),
    ):
        print(f"{title}: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items())))


if __name__ == "__main__":
    sys.exit(main())
