"""A long event log: thousands of rollouts of one app on four hosts, each with every event that a real one leaves.

A real rollout on four hosts leaves about 100 records, two thirds of them reports, and 50 kB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from noonday_coordinator.core import events as e
from noonday_coordinator.core.policy import Policy
from noonday_coordinator.core.state import HostState
from noonday_coordinator.store.event_log import EventLog
from noonday_shared.keys import SigningKey
from noonday_shared.messages import Goal, Outcome, Phase
from noonday_shared.names import ReleaseRef
from noonday_shared.release.manifest import ReleaseManifest

HOSTS = ("web-1", "web-2", "web-3", "web-4")
START = 1_700_000_000.0
_WAVES = (("web-1",), ("web-2", "web-3", "web-4"))
_POLICY = Policy(app="web", hosts={"role": "web"})
_STEPS = (
    *("pre-activate", "drain", "wait-idle", "switch", "restart", "prove", "warm-up", "post-activate"),
    *("return", "confirm", "post-return"),
)
_PHASES = {
    "drain": Phase.DRAINING,
    "wait-idle": Phase.DRAINING,
    "switch": Phase.SWITCHING,
    "restart": Phase.RESTARTING,
    "prove": Phase.PROVING,
    "warm-up": Phase.WARMING_UP,
    "return": Phase.RETURNING,
    "confirm": Phase.RETURNING,
}


def write(log: EventLog, rollouts: int) -> int:
    """Append so many rollouts, all of them done, to an empty log; how many records it has then."""
    count = len(log.append(list(_enrolled()), at=START, by="admin"))
    for number in range(1, rollouts + 1):
        # At once: a flush to disk for each of 60,000 steps would take minutes, and leaves the same rows.
        count += len(log.append(list(_rollout(number)), at=START + number * 3600, by="coordinator"))
    return count


def _enrolled() -> Iterator[e.Event]:
    yield e.CoordinatorStarted(1)
    for host in HOSTS:
        yield e.HostEnrolled(host, {"role": "web", "zone": "a"}, str(SigningKey.new().public))


def _rollout(number: int) -> Iterator[e.Event]:
    new, old = _ref(number), _ref(number - 1) if number > 1 else None
    name, made = f"r{number}", _Reports(number, old)
    manifest = ReleaseManifest(app="web", version=new.version)
    yield e.ReleasePushed("web", new, 104_857_600, manifest)
    started = e.RolloutStarted(name, "web", "deploy", new, old, _POLICY, _WAVES)
    yield started
    yield e.StageEntered(name, e.Stage.PREPARING, 0, "every host fetches, verifies and unpacks", 9e9)
    for host in HOSTS:
        yield made.assigned(host, Goal.PREPARED, new, name)
    for host in HOSTS:
        for outcome, step in ((Outcome.WORKING, ""), (Outcome.WORKING, "prepare"), (Outcome.DONE, "")):
            yield made.report(host, outcome, Phase.PREPARING if step else Phase.SETTLED, step)
        yield e.HostJudged(name, host, HostState.PREPARED)
    for wave, hosts in enumerate(_WAVES):
        reason = "all hosts are prepared" if wave == 0 else f"wave {wave}: {', '.join(hosts)}"
        yield e.StageEntered(name, e.Stage.ROLLING, wave, reason)
        for host in hosts:
            yield from _served(made, host, new, name)
        if wave == 0:
            why = f"{hosts[0]} serves {new}; compared with the servers on the old release"
            yield e.StageEntered(name, e.Stage.EXAMINING, 0, why, 9e9)
            yield e.VerdictReached(name, "promote", "Nothing stands against it.", 4000, _FINDINGS, 9e9)
    yield e.RolloutEnded(name, e.End.DONE, f"All {len(HOSTS)} hosts serve {new}.")
    for host in HOSTS:
        yield replace(made.assigned(host, Goal.SERVING, new, name), observe=False)
        yield made.report(host, Outcome.DONE, Phase.SETTLED, "")


def _served(made: _Reports, host: str, new: ReleaseRef, name: str) -> Iterator[e.Event]:
    working = e.HostJudged(name, host, HostState.WORKING)
    yield made.assigned(host, Goal.SERVING, new, name)
    yield working
    for step in _STEPS:
        yield made.report(host, Outcome.WORKING, _PHASES.get(step, Phase.HOOK), step)
    made.live[host] = new
    yield made.report(host, Outcome.DONE, Phase.SETTLED, "")
    yield e.HostJudged(name, host, HostState.SERVING)


class _Reports:
    """What four hosts were told and say in one rollout, numbered on from the last one."""

    def __init__(self, number: int, old: ReleaseRef | None) -> None:
        self.live = dict.fromkeys(HOSTS, old)
        self._told = dict.fromkeys(HOSTS, 0)
        self._generation = number * 12
        self._seq = number * 100

    def assigned(self, host: str, goal: Goal, release: ReleaseRef, rollout: str) -> e.Assigned:
        self._generation += 1
        self._told[host] = self._generation
        return e.Assigned(host, "web", self._generation, goal, release, self.live[host], rollout, 600.0, observe=True)

    def report(self, host: str, outcome: Outcome, phase: Phase, step: str) -> e.HostReported:
        self._seq += 1
        live = self.live[host]
        kept = tuple(f"1.{n}.0-{n:08x}" for n in range(3))
        report = e.Report(
            boot=1_700_000_000, seq=self._seq, term=1, generation=self._told[host], outcome=outcome, phase=phase,
            step=step, live=live.id if live else "", proven=live, prepared=kept, in_service=step not in _STEPS[2:8],
            healthy=step not in ("restart", "prove"), seconds_out=4.2,
            timings=dict.fromkeys(_STEPS, 0.4) if step == "" else {},
        )  # fmt: skip
        return e.HostReported(host, "web", report)


def _ref(number: int) -> ReleaseRef:
    return ReleaseRef(version=f"1.{number}.0", digest=f"{number:064x}")


_SAMPLE = "2026-03-01T12:00:03.114Z ERROR shop.pay charge failed after 3 attempts: gateway timeout, order 83114"
_FINDINGS = tuple(
    e.Finding(
        key=f"{number:016x}", kind="known-error", blames=False, level="ERROR", text=_SAMPLE,
        words=f"ERROR known, 'charge failed in shop/pay.py': {number} requests on web-1, 1 % against 1.2 % on 3 others",
        counts=dict.fromkeys(HOSTS, number), first_seen=START, samples=(_SAMPLE,) * 2, unit=f"template:{number}",
    )
    for number in range(1, 6)
)  # fmt: skip
