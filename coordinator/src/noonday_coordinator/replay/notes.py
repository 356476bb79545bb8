"""What a person should know of a judgement on log files before they trust it: in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from noonday_coordinator.replay.files import PER_SECOND
from noonday_coordinator.replay.logs import Outcome
from noonday_coordinator.replay.sides import Sample
from noonday_coordinator.verdict.wording import listed, span

EXAMINE = 600.0
"""Seconds of an examine by default."""
_BUSIER = 1.1


def notes_on(outcome: Outcome) -> tuple[str, ...]:
    return (*_power(outcome), *_load(outcome), *_hosts(outcome), *_time(outcome), *_files(outcome))


def _power(outcome: Outcome) -> Iterator[str]:
    least = outcome.least_found
    if least is None:
        return
    share = f" ({100 * least / outcome.requests:.2g} % of them)" if outcome.requests else ""
    if not outcome.by_requests:
        yield f"A new error in {least} different seconds would have been blamed; one in fewer would not."
        return
    yield f"A new error that {least} requests met{share} would have been blamed; one that fewer met would not."


def _load(outcome: Outcome) -> Iterator[str]:
    if outcome.by_requests:
        return
    some = outcome.old.requests or outcome.new.requests
    where = "Not every host has access lines" if some else "There are no access lines"
    yield f"{where}: rates are by time, and neither 5xx answers nor durations are judged."
    if not 1 / _BUSIER < outcome.load < _BUSIER:
        yield (
            f"By the kinds of record that both sides have, hosts of the new release were {outcome.load:.2g} times as "
            "busy: rates are compared as if the others had been too."
        )


def _hosts(outcome: Outcome) -> Iterator[str]:
    for side, name in ((outcome.old, "old"), (outcome.new, "new")):
        if len(side.hosts) == 1:
            yield f"There is one host with the {name} release: what is odd about that server looks like its release."


def _time(outcome: Outcome) -> Iterator[str]:
    begin, end = outcome.new.begin, outcome.new.end
    if begin is not None and end is not None and end - begin < 0.9 * EXAMINE:
        yield f"The new logs cover {span(end - begin)}: what needs longer to begin is not in them."
    for side, name in ((outcome.old, "old"), (outcome.new, "new")):
        if side.undated:
            yield _undated(side, name)


def _undated(side: Sample, name: str) -> str:
    if side.begin is None:
        return (
            f"The lines of the {name} logs tell no times: they were spread evenly, {PER_SECOND:g} to a second. No time "
            "and no rate here is a clock's, and when something began is open."
        )
    return f"Lines of {listed(side.undated)} ({name}) tell no times, so they were spread evenly."


def _files(outcome: Outcome) -> Iterator[str]:
    for side in (outcome.old, outcome.new):
        if side.left_out:
            more = f" and {len(side.left_out) - 5} more" if len(side.left_out) > 5 else ""
            yield f"Left out of {side.path}: {'; '.join(side.left_out[:5])}{more}."
