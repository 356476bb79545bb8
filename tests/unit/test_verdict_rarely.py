"""What can't turn a release back is weighed some windows at once: it is most of a log."""

from __future__ import annotations

from bench.verdict.world import Knobs, known_kinds, make_world
from noonday_coordinator.statistics.window import Window as Counts
from noonday_coordinator.verdict.counting import Counting
from noonday_coordinator.verdict.past import Past, latency_edges
from noonday_coordinator.verdict.unit import KnownWeigher, Row

KNOBS = Knobs(seed=3, kinds=24, history=900.0, length=10.0, per_minute=120.0)
TRIAL = make_world(KNOBS).trial
PAST = Past.of(TRIAL.before, Counting(TRIAL.catalogue, latency_edges(TRIAL.before)), by_requests=True)
UNIT = f"template:{known_kinds(KNOBS)[0].key}"
HERE, BOTH = frozenset({"web-1"}), frozenset({"web-1", "web-2"})


def _weigher(together: int) -> KnownWeigher:
    return KnownWeigher(PAST, UNIT, least=3, alone=False, together=together)


def _row(x: float, y: float, number: int, new: frozenset[str] = HERE) -> Row:
    return Row(Counts(x, y, 20.0, 80.0), new, 5 - len(new), (20.0 * number, 80.0 * number))


def test_windows_that_are_weighed_at_once_count_as_their_sum() -> None:
    some, whole = _weigher(3), _weigher(1)
    for number in range(2):
        some.weigh(_row(20, 40, number))
    assert some.log_e == 0.0
    some.weigh(_row(20, 40, 2))
    whole.weigh(Row(Counts(60, 120, 60.0, 240.0), HERE, 4, (0.0, 0.0)))
    assert some.log_e == whole.log_e != 0.0


def test_windows_of_other_hosts_are_never_taken_together() -> None:
    some, single = _weigher(4), _weigher(1)
    rows = [_row(20, 40, 0), _row(30, 30, 1, BOTH), _row(20, 40, 2, BOTH), _row(9, 40, 3, BOTH)]
    for row in rows:
        some.weigh(row)
    single.weigh(rows[0])
    single.weigh(Row(Counts(59, 110, 60.0, 240.0), BOTH, 3, (20.0, 80.0)))
    assert some.log_e == single.log_e
