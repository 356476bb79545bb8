"""What a seed decides: the fleet, the policy, the releases, and everything that goes wrong and when."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from simulation.host import Nature

from noonday_agent.core.journal import ONCE, Stage
from noonday_agent.core.limits import Limits
from noonday_coordinator.core.policy import Policy
from noonday_shared.bus.memory import Faults
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import HookFiles

KNOWN = "an error as old as the app"


MishapKind = Literal[
    "agent-dies", "agent-dies-in-step", "agent-dies-at-point", "coordinator-dies", "coordinator-dies-at-point",
    "power-cut", "old-state", "no-state", "disk-full", "disk-full-after-step", "coordinator-disk-full",
    "balancer-gone", "balancer-hangs", "balancer-lags", "balancer-forgets", "manager-gone", "manager-hangs",
    "manager-lies", "restart-hangs", "app-dies", "app-ill", "host-cut-off", "coordinator-cut-off", "broker-wiped",
    "clock-set", "coordinator-clock-set", "forgery", "second-coordinator", "coordinator-restored",
    "queue-deleted",
]  # fmt: skip
WishKind = Literal[
    "pause",
    "resume",
    "abort",
    "promote",
    "rollback",
    "drain",
    "undrain",
    "deploy",
    "supersede",
    "reconcile",
    "unblock",
    "remove",
    "enroll",
]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A release to roll out. `bad_on`, `ill_on`: hosts that can't prepare it, or where it is never healthy."""

    ref: ReleaseRef
    kind: str
    nature: Nature
    hooks: HookFiles
    bad_hook: str
    bad_on: tuple[str, ...]
    ill_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something that happens `at` so many seconds, to `host`, and is over after `lasts` seconds."""

    at: float
    kind: MishapKind
    host: str = ""
    lasts: float = 0.0
    stage: Stage = Stage.DRAIN
    late: bool = False
    """Of agent-dies-in-step: the effect has happened by then. Of power-cut: the last writes are lost."""
    size: int = 0
    """Crash points that are passed before the death, or seconds by which a clock is set."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator does, at any moment; it may be refused."""

    at: float
    kind: WishKind
    host: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    seed: int
    hosts: tuple[str, ...]
    policy: Policy
    limits: Limits
    serving_before: bool
    checked: bool
    rate: float
    candidates: tuple[Candidate, ...]
    faults: Faults
    mishaps: tuple[Mishap, ...]
    wishes: tuple[Wish, ...]
    calm_after: float
    """Seconds after which nothing goes wrong any more, and nobody wishes anything."""
    late: tuple[str, ...] = ()
    """Hosts that are enrolled only when an operator wishes so, or in the end."""
    download: float = 0.0
    longest_request: float = 0.0
    racks: tuple[tuple[str, str], ...] = ()
    """Each host's label `rack`; empty: none has one."""
    impatient: bool = False
    """The next release takes over from a rollout that takes too long."""

    @property
    def peaceful(self) -> bool:
        return self.faults == Faults() and not self.mishaps and not self.wishes


def plain(seed: int) -> Script:
    """Without what `variety` adds."""
    chance = Random(seed)
    hosts = tuple(f"web-{n}" for n in range(1, chance.randint(1, 6) + 1))
    rollouts = chance.randint(1, 4)
    calm_after = (30.0 + 60.0 * rollouts) * chance.choice((1.0, 1.0, 1.0, 3.0))
    late = hosts[-1:] if len(hosts) > 2 and chance.random() < 0.2 else ()
    return Script(
        seed=seed,
        hosts=hosts,
        policy=_policy(chance, len(hosts)).model_copy(update={"twin_control": seed % 3 == 0}),
        limits=_limits(chance),
        serving_before=chance.random() < 0.5,
        checked=chance.random() < 0.7,
        rate=chance.choice((0.05, 2.0, 10.0, 10.0)),
        candidates=tuple(_candidate(chance, hosts, n) for n in range(1, rollouts + 1)),
        faults=_faults(chance),
        mishaps=tuple(sorted(_troubles(chance, hosts, calm_after), key=lambda one: one.at)),
        wishes=tuple(sorted(_wishes(chance, hosts, calm_after), key=lambda one: one.at)),
        calm_after=calm_after,
        late=late,
        download=chance.choice((0.0, 0.0, 3.0, 15.0)),
        longest_request=chance.choice((0.0, 0.5, 3.0, 9.0)),
    )


def _policy(chance: Random, total: int) -> Policy:
    choose = chance.choice
    values = {
        "app": "web",
        "hosts": {"role": "web"},
        "canary": choose((1, 1, 2, "50%")),
        "examine": choose((0, 10, 30)),
        "examine_most": choose((30, 60)),
        "least_requests": choose((0, 20, 100)),
        "on_little_evidence": choose(("ask", "promote")),
        "waves": choose((("100%",), (1, "100%"), ("50%",), (2, 2))),
        "wave_pause": choose((0, 0, 15)),
        "max_unavailable": choose((1, 1, 2, "50%")),
        "min_healthy": choose((0, 0, 1)) if total > 1 else 0,
        "gates": choose(((), (), ("canary",), (1,))),
        "on_regression": choose(("rollback", "rollback", "ask")),
        "allow_outage": True,
        "prepare_within": choose((60, 120)),
        "host_within": choose((40, 120)),
        "unreachable_after": choose((20, 30)),
        "offline": choose(("fail", "wait", "skip")),
        "max_failures": choose((0, 0, 1)),
        "catch_up": choose((True, True, False)),
    }
    return Policy.model_validate(values)


def _limits(chance: Random) -> Limits:
    return Limits(
        idle_within=5.0,
        on_busy=chance.choice(("proceed", "give-up")),
        restart_within=10.0,
        healthy_within=15.0,
        successes=2,
        return_within=10.0,
        hook_within=5.0,
    )


KINDS = (
    "good",
    "good",
    "good",
    "sick",
    "liar",
    "noisy",
    "rare",
    "unpreparable",
    "failing-hook",
    "falls-ill",
    "ill-somewhere",
)


def _candidate(chance: Random, hosts: tuple[str, ...], n: int) -> Candidate:
    kind = chance.choice(KINDS)
    known = {KNOWN: 0.02} if n % 2 else {}
    nature = Nature(
        healthy=kind != "sick",
        warm_up=chance.choice((0.5, 2.0, 6.0)),
        lies=kind == "liar",
        falls_ill_after=12.0 if kind == "falls-ill" else 0.0,
        hook_takes=chance.choice((0.0, 0.0, 2.0)),
        errors={**known, **({f"new with {n}": 0.2 if kind == "noisy" else 0.005} if kind in ("noisy", "rare") else {})},
    )
    hooks = HookFiles(pre_activate=f"pre-{n}", post_activate=f"post-{n}", post_return=f"back-{n}")
    some = tuple(chance.sample(hosts, chance.randint(1, len(hosts))))
    return Candidate(
        ref=ReleaseRef(version=f"1.{n}.0", digest=f"{n:x}" * 64),
        kind=kind,
        nature=nature,
        hooks=hooks if kind == "failing-hook" or chance.random() < 0.3 else HookFiles(),
        bad_hook=chance.choice((f"pre-{n}", f"post-{n}", f"back-{n}")) if kind == "failing-hook" else "",
        bad_on=some if kind == "unpreparable" else (),
        ill_on=some if kind == "ill-somewhere" else (),
    )


def _faults(chance: Random) -> Faults:
    if chance.random() < 0.3:
        return Faults()
    return Faults(
        lose=chance.choice((0.0, 0.1, 0.3)),
        repeat=chance.choice((0.0, 0.2)),
        delay=chance.choice((0.0, 0.2)),
        reorder=chance.choice((0.0, 0.2)),
        longest_delay=chance.choice((2.0, 20.0)),
    )


_MISHAPS: tuple[MishapKind, ...] = (
    "agent-dies", "agent-dies-in-step", "agent-dies-in-step", "agent-dies-in-step", "agent-dies-at-point",
    "agent-dies-at-point", "agent-dies-at-point", "coordinator-dies", "coordinator-dies-at-point",
    "coordinator-dies-at-point", "coordinator-dies-at-point", "power-cut", "old-state", "no-state", "disk-full",
    "disk-full-after-step", "disk-full-after-step", "coordinator-disk-full", "balancer-gone", "balancer-hangs",
    "balancer-lags", "balancer-forgets", "manager-gone", "manager-hangs", "manager-lies", "restart-hangs", "app-dies",
    "app-ill", "host-cut-off", "coordinator-cut-off", "broker-wiped", "clock-set", "coordinator-clock-set", "forgery",
    "second-coordinator",
)  # fmt: skip


def _troubles(chance: Random, hosts: tuple[str, ...], until: float) -> list[Mishap]:
    """A mixture, or a network that keeps parting for longer than hosts are waited for."""
    if chance.random() > 0.15:
        return _mishaps(chance, hosts, until)
    return [
        Mishap(chance.uniform(0.0, 0.5 * until), "host-cut-off", host, chance.uniform(60.0, 300.0))
        for host in hosts
        for _ in range(chance.randint(0, 2))
    ]


def _mishaps(chance: Random, hosts: tuple[str, ...], until: float) -> list[Mishap]:
    # Dying in what must not happen twice is worth the most.
    stages = [*Stage, *sorted(ONCE), Stage.RESTART, Stage.RESTART]
    return [_mishap(chance, hosts, until, stages) for _ in range(chance.choice((0, 2, 5, 9, 14)))]


def _mishap(chance: Random, hosts: tuple[str, ...], until: float, stages: list[Stage]) -> Mishap:
    kind = chance.choice(_MISHAPS)
    clocks = kind in ("clock-set", "coordinator-clock-set")
    return Mishap(
        at=chance.uniform(0.0, until),
        kind=kind,
        host=chance.choice(hosts),
        lasts=chance.choice((1.0, 5.0, 20.0, 20.0, 60.0, 200.0, 600.0)),
        stage=chance.choice(stages),
        late=chance.random() < 0.5,
        size=chance.choice((-7200, -300, -20, 20, 300, 7200)) if clocks else chance.randint(0, 20),
    )


_WISHES: tuple[WishKind, ...] = (
    "pause", "resume", "abort", "promote", "rollback", "drain", "undrain", "deploy", "supersede", "supersede",
    "reconcile", "unblock", "remove", "enroll",
)  # fmt: skip


def _wishes(chance: Random, hosts: tuple[str, ...], until: float) -> list[Wish]:
    return [
        Wish(chance.uniform(20.0, until), chance.choice(_WISHES), chance.choice(hosts))
        for _ in range(chance.choice((0, 1, 3, 6)))
    ]
