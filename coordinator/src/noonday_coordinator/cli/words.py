"""Sentences and short words for people. Pure; durations are seconds, instants are seconds since the epoch."""

from __future__ import annotations

import time

from noonday_coordinator.api.models import (
    AppOnHost,
    Enrolled,
    Examine,
    LogLineReply,
    PlanReply,
    RolloutInfo,
    RolloutSummary,
)
from noonday_coordinator.words import figure
from noonday_coordinator.words import rate as said_rate
from noonday_shared.names import VERSION, ReleaseRef, check_name

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
LATE = 15.0
"""Agents report at least every 10 s, so more silence than this is worth a word."""


def clean(text: str) -> str:
    """`text` without control characters: log lines and reports of other machines must not drive a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def duration(seconds: float) -> str:
    """The two largest units: `4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s".replace(".0 ", " ")
    left = round(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}")
        left = rest
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 "))


def at_time(instant: float) -> str:
    """hh:mm:ss on this machine's clock."""
    return time.strftime("%H:%M:%S", time.localtime(instant))


def at_day(instant: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(instant)) if instant else "-"


def size(count: int) -> str:
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.1f} {unit}" if unit != "B" and amount < 10 else f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def version(ref: ReleaseRef | None) -> str:
    return ref.version if ref else "-"


def count_of(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def yes_no(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "?"}[value]


def wave_name(number: int) -> str:
    if number < 0:
        return "-"
    return "canary" if number == 0 else f"wave {number}"


def pairs(values: dict[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(values.items()))


def change(info: PlanReply | RolloutSummary) -> str:
    """As in `web 1.1.0 (now 1.0.0)`."""
    if isinstance(info, RolloutSummary) and info.kind == "reconcile":
        return f"{info.app} {info.release.version}"
    before = f" (from {info.previous.version})" if info.previous else " (first release)"
    return f"{info.app} {info.release.version}{before}"


def plan_waves(plan: PlanReply) -> list[str]:
    return [f"{wave_name(number)}: {', '.join(hosts)}" for number, hosts in enumerate(plan.waves)]


def nothing_to_do(plan: PlanReply) -> str:
    left = f" but {', '.join(plan.skipped)}, which is left out" if plan.skipped else ""
    return f"Nothing to do: {plan.app} {plan.release.version} already serves on all of its hosts{left}."


def ending(info: RolloutSummary) -> str:
    """How a rollout ended, with its reason."""
    hosts = "all hosts but those left out" if info.left_out else "all hosts"
    what = {
        "done": f"Done: {info.app} {info.release.version} serves on {hosts}",
        "rolled-back": f"Rolled back: {info.app} {info.release.version} did not stay",
        "aborted": f"Aborted: {info.app} {info.release.version}",
        "failed": f"Failed: {info.app} {info.release.version}",
        "superseded": f"Superseded: {info.app} {info.release.version}",
    }[info.end or "failed"]
    took = f" after {duration(info.ended_at - info.started_at)}" if info.ended_at else ""
    reason = one_line(info.reason)
    return f"{what}{took} ({info.id})." + (
        f" {reason}{'' if reason.endswith(('.', '!', '?')) else '.'}" if reason else ""
    )


def needs_person(info: RolloutInfo) -> bool:
    """Whether only a person can move the rollout on."""
    return info.end is None and (bool(info.asked) or info.stage == "gate")


def question(info: RolloutInfo) -> str:
    return one_line(info.asked or info.waiting_for or info.reason) or f"{info.id} waits for a person."


def answers(app: str) -> str:
    return f"noonday promote {app} | noonday rollback {app} | noonday abort {app}"


def come_back(info_id: str, app: str) -> tuple[str, str]:
    """What is said when somebody leaves a rollout that goes on."""
    return (
        f"The rollout {info_id} goes on without this view.",
        f"noonday show {info_id} --follow (watch it again), noonday status, noonday abort {app} (stop it)",
    )


def stage_line(info: RolloutInfo) -> str:
    """Stage, wave, and what the clock and the counter say."""
    parts = [info.stage.replace("-", " ")]
    if info.stage in ("rolling", "examining", "gate") and info.waves:
        parts[0] += f" {wave_name(info.wave)}"
        if info.wave:
            parts[0] += f" of {len(info.waves) - 1}"
    if info.examine:
        parts.append(examine_left(info.examine, info.now))
    if info.kind == "deploy":
        parts.append(requests(info))
    if info.paused_by:
        parts.append(f"paused by {info.paused_by}")
    return " · ".join(parts)


def examine_left(examine: Examine, now: float) -> str:
    if now < examine.ends_at:
        return f"{duration(examine.ends_at - now)} of the examine left"
    if now < examine.latest:
        return f"examine goes on, at most {duration(examine.latest - now)} more"
    return "examine is over"


def requests(info: RolloutInfo) -> str:
    needed = f"/{info.least_requests}" if info.least_requests else ""
    others = f" (old release: {info.control_requests})" if info.control_requests else ""
    return f"{info.requests}{needed} requests{others}"


def host_step(report: AppOnHost | None, silent: float | None) -> str:
    """What a host does now; silence comes first, because what it last said may be stale."""
    if silent is not None and silent > LATE:
        return f"not heard for {duration(silent)}"
    if report is None:
        return "-"
    back = "going back: " if report.going_back else ""
    step = "" if report.step in ("", report.phase) else f"/{report.step}"
    return f"{back}{report.phase}{step}" if report.phase else "-"


def dry_run(would: str) -> str:
    return f"DRY RUN. {one_line(would)}" if would else "DRY RUN. It only judges, and nothing goes back by itself."


def odds(e: float) -> str:
    """As in '28,000 to 1'."""
    return f"{figure(e)} to 1" if e < 1e9 else "over a billion to 1"


def rate(value: float, per: str, unit: str = "") -> str:
    """`unit`: whose plain value it is, when it is no rate."""
    if not per and unit.endswith("_bytes"):
        return size(round(value))
    return said_rate(value, "request" if per == "request" else "second" if per == "second" else "")


def log_line(line: LogLineReply) -> str:
    return clean(f"{at_time(line.at)} {line.host} {line.release or '-'} {line.text}")


def checked_version(text: str) -> str:
    """Raises `BadInput` before anything is asked when `text` can't be a version."""
    return check_name(VERSION, text, "a version (letters, digits and . + _ -)")


def enrolled(reply: Enrolled) -> str:
    """The host's part of agent.toml; the key follows as comments, so that the whole is still TOML."""
    lines = [*(f"# {line}" for line in reply.words.splitlines()), reply.agent_toml.rstrip()]
    if reply.host_key:
        lines += [
            "",
            "# The host's private key, shown only now: the one line of host_key_file, mode 0600.",
            f"# {reply.host_key}",
        ]
    return "\n".join(lines)
