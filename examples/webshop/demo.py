"""The story: a good release, one with a new error, one whose restart leaves the old code up, and a good one while the
database is away for all servers; all under load."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, TextIO

from examples.webshop.absence import BalancerWatch
from examples.webshop.outage import Outage
from examples.webshop.result import DemoResult, Step, table
from examples.webshop.server import APP
from examples.webshop.tally import read_samples, tally
from examples.webshop.world import Shape, World, world
from noonday_shared.errors import Temporary

DONE = 0
ROLLED_BACK = 3

_LONGEST = 360.0


@dataclass(frozen=True, slots=True)
class _Chapter:
    version: str
    title: str
    expected: int
    missing: Callable[[Any, World], tuple[str, ...]]
    """From what `noonday show ROLLOUT --json` says: what should have been seen and was not, as sentences."""
    extra: tuple[tuple[str, ...], ...] = field(default=())
    """Commands shown afterwards."""
    outage: bool = False
    """The database goes away for a while, for all servers, as soon as it is examined."""


def run(out: TextIO, shape: Shape | None = None, *, then: Callable[[World], None] = lambda _: None) -> DemoResult:
    """Play the whole demo and print it to `out`; `then` is called before the world ends. Blocks for 3 to 6 minutes.

    Raises `NoondayError` when a part can't be started. Nothing is left behind, however it ends.
    """
    shape = shape or Shape()

    def say(line: str) -> None:
        print(line, file=out, flush=True)

    say("Setting up, in a temporary folder:")
    with world(shape, out, lambda line: say(f"  {line}")) as made:
        result = _play(made, say)
        say("\n" + table(result, width=min(shutil.get_terminal_size((110, 24)).columns, 130)))
        then(made)
    return result


def _play(made: World, say: Callable[[str], None]) -> DemoResult:
    typed = made.coordinator.typed
    say(f"\nThe first release, 1.0.0, on {len(made.servers)} empty servers:")
    if typed.show("deploy", APP, "1.0.0", "--yes") != DONE:
        raise Temporary("The first release was not rolled out, so there is nothing to show.")
    watch = BalancerWatch(made.haproxy.admin_socket, APP)
    with made.customers() as load:
        watch.start()
        say(f"\n{made.shape.rate:.0f} requests a second come in from now on; {made.shape.history:.0f} s pass.")
        time.sleep(made.shape.history)
        load.must_run()
        started = time.monotonic()
        steps = tuple(_deploy(made, chapter, say) for chapter in CHAPTERS)
        seconds = time.monotonic() - started
        load.must_run()
        watch.close()
    absence = watch.absence
    return DemoResult(
        steps=steps,
        load=tally(read_samples(made.requests)),
        seconds_out=absence.seconds,
        most_out=absence.most_at_once,
        seconds=seconds,
        longest=_LONGEST,
    )


def _deploy(made: World, chapter: _Chapter, say: Callable[[str], None]) -> Step:
    typed = made.coordinator.typed
    say(f"\n{chapter.title}")
    started = time.monotonic()
    with _outage(made, chapter.version) if chapter.outage else nullcontext() as outage:
        status = typed.show("deploy", APP, chapter.version, "--yes")
    seconds = time.monotonic() - started
    made.must_run()
    for command in chapter.extra:
        typed.show(*command)
    rollout = _newest(made, chapter.version)
    return Step(
        title=f"{chapter.version}",
        expected=chapter.expected,
        exit=status,
        verdict=f"{rollout['verdict'] or 'no verdict'}, {rollout['end']}",
        seconds=seconds,
        evidence=(*_evidence(rollout), *_told(outage)),
        missed=(*chapter.missing(rollout, made), *(_not_shared(outage) if outage else ())),
    )


def _outage(made: World, version: str) -> Outage:
    return Outage(
        ask=lambda: made.coordinator.rollout_of(version),
        stop=made.database.stop,
        start=made.database.start,
        seconds=made.shape.outage,
    )


def _told(outage: Outage | None) -> tuple[str, ...]:
    """The longest of what was said of it, as the one that says most."""
    shared = [words for words in outage.said if _NOT_THIS in words] if outage else []
    return (f"meanwhile: {max(shared, key=len)}",) if shared else ()


def _not_shared(outage: Outage) -> tuple[str, ...]:
    if not outage.began:
        return ("the database never went away: the rollout was over before it was examined",)
    if not any(_NOT_THIS in words for words in outage.said):
        return (f"nobody was told that all servers suffer, but: {'; '.join(outage.said) or 'nothing'}",)
    return ()


def _newest(made: World, version: str) -> Any:
    """The newest rollout, as `noonday show ROLLOUT --json` says it. Raises `Temporary` when it has another version."""
    typed = made.coordinator.typed
    rollout = typed.ask("show", typed.ask("findings", APP)["rollout"])
    if rollout["release"]["version"] != version:
        raise Temporary(f"The newest rollout is of {rollout['release']['version']}, not of {version}.")
    return rollout


def _evidence(rollout: Any) -> tuple[str, ...]:
    reason = rollout["verdict_reason"] or rollout["reason"]
    lines = [reason]
    for finding in rollout["findings"]:
        if finding["words"] not in reason:
            lines.append(finding["words"])
        lines += [f"  {sample.splitlines()[0]}" for sample in finding["samples"][:1]]
    return tuple(lines)


def _good(rollout: Any, made: World) -> tuple[str, ...]:
    missed = [f"it is held against it: {one['words']}" for one in rollout["findings"] if one["blames"]]
    left = [host["host"] for host in rollout["hosts"] if host["state"] != "serving"]
    if left:
        missed.append(f"not released: {', '.join(left)}")
    return tuple(missed)


def _new_error(rollout: Any, made: World) -> tuple[str, ...]:
    missed = []
    blamed = [one for one in rollout["findings"] if one["blames"]]
    known = [one for one in rollout["findings"] if one["kind"] == "known-error"]
    if not any("price rule" in one["text"] or "KeyError" in one["text"] for one in blamed):
        missed.append("the new error was not found")
    if any("payment provider" in one["text"] for one in blamed):
        missed.append("the error that every release logs was held against it")
    if not any("payment" in one["text"] or "TimeoutError" in one["text"] for one in known):
        missed.append("the error that every release logs was not listed as known")
    return (*missed, *_only_the_canary(rollout))


def _old_code(rollout: Any, made: World) -> tuple[str, ...]:
    missed = []
    if "prove:" not in rollout["verdict_reason"]:
        missed.append(f"the proof of running code did not stop it, but: {rollout['verdict_reason'] or 'nothing'}")
    if rollout["requests"]:
        missed.append(f"it returned to the load balancer and answered {rollout['requests']} requests")
    return (*missed, *_only_the_canary(rollout))


def _only_the_canary(rollout: Any) -> tuple[str, ...]:
    touched = [
        host["host"] for host in rollout["hosts"] if host["wave"] > 0 and host["state"] not in ("waiting", "prepared")
    ]
    return (f"it went beyond the canary: {', '.join(touched)}",) if touched else ()


_NOT_THIS = "not this release"

CHAPTERS = (
    _Chapter("1.1.0", "1. 1.1.0 is fine, though it words many of its log lines anew.", DONE, _good),
    _Chapter(
        "1.2.0",
        "2. 1.2.0 passes its health check, but logs a new error in 5 % of its requests.",
        ROLLED_BACK,
        _new_error,
        extra=(("findings", APP),),
    ),
    _Chapter("1.3.0", "3. The restart of 1.3.0 succeeds, but leaves the old code up.", ROLLED_BACK, _old_code),
    _Chapter(
        "1.4.0",
        "4. 1.4.0 is fine, but the database goes away for all servers while it is examined.",
        DONE,
        _good,
        outage=True,
    ),
)
