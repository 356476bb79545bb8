"""What is played, and what must come of it. A bar is reached by the share of rollouts and the median of the seconds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from bench.verdict.known import Known, changed, reworded
from bench.verdict.world import Fault, Kind, error_kind

FALSE_ALARMS = 0.01
LONGEST = 1800.0
"""Seconds of an examine that goes on, in doubt or on hold: three times the usual one."""
Faulty = Callable[[Known, random.Random], Fault]


@dataclass(frozen=True)
class Bar:
    """`back`, `caught`: least share rolled back, and rolled back or held. `wrong`: greatest share rolled back."""

    back: float = 0.0
    caught: float = 0.0
    within: float = float("inf")
    """Seconds: the median of those rolled back."""
    wrong: float = 1.0

    def __str__(self) -> str:
        parts = [f"≤ {self.wrong:g} rolled back"] if self.wrong < 1 else []
        parts += [f"≥ {self.back:g} rolled back"] if self.back else []
        parts += [f"≥ {self.caught:g} rolled back or held"] if self.caught else []
        parts += [f"≤ {self.within:g} s"] if self.within < float("inf") else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Scenario:
    """`clean`: nothing is wrong with the release. `skew`: seconds by which the canary's clock is early, and another
    host's late."""

    name: str
    bar: Bar
    fault: Faulty
    clean: bool = False
    many: bool = False
    """Played as often as clean rollouts are, not as seldom as faults."""
    per_minute: float = 50.0
    length: float = 600.0
    """Seconds of the examine."""
    weight: float = 1.0
    skew: float = 0.0
    as_json: bool = False
    spared: str = ""
    """Why no bar is asked on real logs."""

    def onset(self, fault: Fault) -> float:
        """From when on a rollback is right; with a clean release none is, and each counts."""
        return 0.0 if self.clean else fault.onset


def scenarios() -> list[Scenario]:
    return [*_clean(), *_faults(), *_odd()]


CLEAN = Bar(wrong=FALSE_ALARMS)


def _clean() -> list[Scenario]:
    return [
        Scenario("A/A", CLEAN, lambda _, __: Fault(), clean=True, many=True),
        Scenario("benign release", CLEAN, lambda _, __: _benign(0.3), clean=True, many=True),
        Scenario("fleet-wide incident", CLEAN, lambda _, __: _incident(), clean=True, many=True),
        Scenario("A/A, 11 requests/min", CLEAN, lambda _, __: Fault(), clean=True, many=True, per_minute=11.0),
    ]


def _faults() -> list[Scenario]:
    sure = Bar(back=1.0, within=90.0)
    return [
        Scenario("new ERROR 5 %", sure, lambda _, __: _new(0.05)),
        Scenario("new ERROR 1 %", Bar(back=0.95, within=300.0), lambda _, __: _new(0.01)),
        Scenario("one word of an alert changed, 5 %", Bar(back=1.0, within=120.0), _word_changed),
        Scenario("known alert x 10", Bar(back=1.0, within=30.0), lambda known, chance: _often(known, chance, 10.0)),
        Scenario("known alert x 3", Bar(back=0.9), lambda known, chance: _often(known, chance, 3.0)),
        Scenario(
            "all requests x 1.3 slower", Bar(back=0.95, within=230.0), lambda _, __: Fault("slow", slower=1.3),
            spared="its requests last 12 ms to 4 s, so that x 1.3 moves no quantile much",
        ),
        Scenario(
            "5xx + 5 %", Bar(back=0.95, within=120.0), lambda _, __: Fault("5xx", errors=0.05),
            spared="every tenth of its requests fails anyway",
        ),
        Scenario(
            "11 requests/min, new ERROR 5 %", Bar(caught=0.9), lambda _, __: _new(0.05), per_minute=11.0, length=1200.0
        ),
        Scenario(
            "11 requests/min, new ERROR 20 %", Bar(back=1.0), lambda _, __: _new(0.2), per_minute=11.0, length=1200.0
        ),
        Scenario("a success line falls silent", Bar(caught=0.95), _silent),
        Scenario("RSS leak", Bar(caught=0.95), lambda _, __: Fault("leak", leak=2e5)),
        Scenario("crash loop", Bar(back=1.0, within=90.0), lambda _, __: Fault("crash", crash_every=40.0)),
        Scenario(
            "new ERROR 5 % after the examine", Bar(back=1.0, within=120.0), lambda _, __: _new(0.05, 660.0),
            length=960.0,
        ),
    ]  # fmt: skip


def _odd() -> list[Scenario]:
    """What may blind a judge, or make it shy: each without a fault, and with one."""
    return [
        Scenario("half LB weight", CLEAN, lambda _, __: Fault(), clean=True, weight=0.5),
        # Half the requests: what takes 90 s with all of them takes 180.
        Scenario("half LB weight, new ERROR 5 %", Bar(back=1.0, within=180.0), lambda _, __: _new(0.05), weight=0.5),
        Scenario("log switched to JSON", CLEAN, lambda _, __: _benign(1.0), clean=True, as_json=True),
        Scenario("± 5 min clock skew", CLEAN, lambda _, __: Fault(), clean=True, skew=300.0),
        Scenario("± 5 min clock skew, new ERROR 5 %", Bar(back=1.0, within=90.0), lambda _, __: _new(0.05), skew=300.0),
        Scenario("40 % of windows missing", CLEAN, lambda _, __: Fault("lost", missing=0.4), clean=True),
        Scenario(
            "40 % of windows missing, new ERROR 5 %", Bar(caught=1.0),
            lambda _, __: Fault("lost", kinds=(error_kind(0.05),), missing=0.4),
        ),
        Scenario(
            "100,000 distinct garbage lines", Bar(caught=0.95), lambda _, __: Fault("garbage", garbage=1667),
        ),
    ]  # fmt: skip


def _new(share: float, onset: float = 0.0) -> Fault:
    return Fault("new error", kinds=(error_kind(share),), onset=onset)


def _benign(share: float) -> Fault:
    return Fault("benign", renamed=reworded, rename_share=share)


def _incident() -> Fault:
    """Three minutes in which something shared does not answer."""
    kinds = (error_kind(0.2, "ConnectionError in shop/db.py connect"), error_kind(0.05, "TimeoutError in shop/db.py"))
    return Fault("incident", everywhere=kinds, everywhere_errors=0.2, onset=120.0, until=300.0)


def _word_changed(known: Known, chance: random.Random) -> Fault:
    return Fault("word", kinds=(Kind(changed(known.alert(chance).template, chance), 0.05),))


def _often(known: Known, chance: random.Random, times: float) -> Fault:
    return Fault("often", times=((known.alert(chance).key, times),))


def _silent(known: Known, chance: random.Random) -> Fault:
    return Fault("silent", times=((known.success(chance).key, 0.0),))
