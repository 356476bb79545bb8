"""What may be wrong with this coordinator and its fleet, as checks: each a sentence, and what to do next."""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Iterator

from noonday_coordinator.api.context import Context
from noonday_coordinator.api.models import Check, Doctor
from noonday_coordinator.api.show import UNREACHABLE
from noonday_coordinator.core.lost import held_back
from noonday_coordinator.core.state import Host

_LEAST_FREE = 256 << 20
_LOW_FREE = 2 << 30
_SKEW = 5.0
"""Seconds by which a host's clock may differ; assignments expire, and evidence is laid side by side in time."""
_ORDER = ("ok", "warn", "fail")


def examine(context: Context) -> Doctor:
    """Looks through the whole event log, so it may take seconds."""
    checks = tuple(
        check
        for group in (_broker, _engine, _log, _disk, _listening, _policies, _hosts, _terms, _strangers, _blocked)
        for check in group(context)
    )
    return Doctor(worst=max((check.state for check in checks), key=_ORDER.index), checks=checks)


def _broker(context: Context) -> Iterator[Check]:
    if context.bus.connected:
        yield Check(name="broker", state="ok", text="Connected to the broker.")
    else:
        text = context.bus.trouble or "Not connected to the broker."
        fix = "start RabbitMQ, or mend [broker] url in coordinator.toml; the coordinator keeps trying"
        yield Check(name="broker", state="fail", text=text, next_action=fix)


def _engine(context: Context) -> Iterator[Check]:
    if context.engine.trouble:
        fix = "mend what it names, and read the coordinator's log"
        yield Check(name="engine", state="fail", text=context.engine.trouble, next_action=fix)


def _log(context: Context) -> Iterator[Check]:
    trouble = context.log.trouble()
    if trouble:
        fix = f"stop the coordinator and restore {context.log.path} from a backup"
        yield Check(name="event-log", state="fail", text=trouble, next_action=fix)
    else:
        yield Check(name="event-log", state="ok", text="The event log is whole.")


def _disk(context: Context) -> Iterator[Check]:
    folder = context.config.data_dir
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GiB are free in {folder}."
    if free >= _LOW_FREE:
        yield Check(name="disk", state="ok", text=text)
    else:
        state = "warn" if free >= _LEAST_FREE else "fail"
        yield Check(name="disk", state=state, text=text, next_action=f"free space in {folder}: old releases, for one")


def _listening(context: Context) -> Iterator[Check]:
    host, _ = context.config.http.address
    if not _is_loopback(host):
        text = f"The API listens on {context.config.http.listen} without TLS: tokens can be read on the way."
        fix = "listen on 127.0.0.1 and put a TLS proxy in front"
        yield Check(name="http", state="warn", text=text, next_action=fix)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _policies(context: Context) -> Iterator[Check]:
    policies, state = context.policies, context.engine.state
    names = sorted({*policies.names(), *state.apps})
    for app in names:
        trouble = policies.trouble(app)
        if trouble is not None:
            yield Check(name=f"policy {app}", state="fail", text=trouble.text, next_action=trouble.next_action)
            continue
        policy = policies.of(app)
        if state.hosts_with(policy.hosts):
            yield Check(name=f"policy {app}", state="ok", text=f"The policy of {app} can be read.")
        else:
            labels = ", ".join(f"{key}={value}" for key, value in policy.hosts.items())
            text = f"No enrolled host carries {labels}, so {app} can't be rolled out."
            yield Check(name=f"policy {app}", state="warn", text=text, next_action="noonday enroll HOST --label …")
    if not names:
        fix = f"write the first app's policy in {policies.folder}"
        yield Check(name="policies", state="warn", text="There is no app yet.", next_action=fix)


def _hosts(context: Context) -> Iterator[Check]:
    for host in context.engine.state.hosts.values():
        yield from _host(context, host)
    if not context.engine.state.hosts:
        yield Check(name="hosts", state="warn", text="No host is enrolled.", next_action="noonday enroll HOST")


def _host(context: Context, host: Host) -> Iterator[Check]:
    name = f"host {host.name}"
    silent = context.engine.view.silent_for(host.name, context.clock.now())
    if silent > UNREACHABLE:
        fix = f"on {host.name}: noonday-agent check, then start its service"
        yield Check(name=name, state="fail", text=f"{host.name} was not heard for {silent:.0f} s.", next_action=fix)
        return
    warnings = [
        *_double(context, host.name),
        *_skew(context, host.name),
        *_notices(context, host.name),
        *_apps(context, host),
    ]
    yield from warnings or [Check(name=name, state="ok", text=f"{host.name} is heard.")]


def _double(context: Context, host: str) -> Iterator[Check]:
    if host in context.engine.doubles:
        fix = f"stop the second agent, or enroll it under a name of its own; then restart the agent on {host}"
        yield Check(name=f"host {host}", state="fail", text=f"{context.engine.doubles[host]}.", next_action=fix)


def _skew(context: Context, host: str) -> Iterator[Check]:
    snapshot, arrived = context.engine.snapshots.get(host), context.engine.view.last_seen.get(host)
    if snapshot is None or arrived is None:
        return
    skew = snapshot.sent_at - arrived
    if abs(skew) > _SKEW:
        side = "ahead of" if skew > 0 else "behind"
        text = f"The clock of {host} is {abs(skew):.0f} s {side} the coordinator's."
        yield Check(name=f"host {host}", state="warn", text=text, next_action=f"run NTP on {host} and here")


def _notices(context: Context, host: str) -> Iterator[Check]:
    for notice in context.engine.notices.get(host, ()):
        fix = f"on {host}: noonday-agent status"
        yield Check(name=f"host {host}", state="warn", text=f"{host} says: {notice}", next_action=fix)


def _apps(context: Context, host: Host) -> Iterator[Check]:
    engine, now = context.engine, context.clock.now()
    for app, on_host in host.apps.items():
        late = held_back(engine.state, engine.view, host.name, app, now)
        if late:
            fix = f"noonday hosts, then noonday reconcile {app} --plan"
            yield Check(name=f"host {host.name}", state="warn", text=late, next_action=fix)
        report = on_host.report
        if report is not None and report.trouble is not None:
            fix = report.trouble.next_action or f"on {host.name}: noonday-agent status"
            text = f"{host.name}, {app}: {report.trouble.text}"
            yield Check(name=f"host {host.name}", state="warn", text=text, next_action=fix)


def _terms(context: Context) -> Iterator[Check]:
    state = context.engine.state
    terms = {
        host.name: max((one.report.term for one in host.apps.values() if one.report is not None), default=0)
        for host in state.hosts.values()
    }
    ahead = [name for name, term in terms.items() if term > state.term]
    if ahead:
        text = (
            f"{', '.join(ahead)}: the term there is {max(terms.values())}, and here {state.term}, so nothing that is "
            "said here is obeyed. Another coordinator commands them, or this event log was copied back by hand."
        )
        fix = (
            "stop the other coordinator; or stop this one, noonday backup FILE, noonday restore FILE NEWDIR, serve that"
        )
        yield Check(name="term", state="fail", text=text, next_action=fix)


def _strangers(context: Context) -> Iterator[Check]:
    for host in sorted(context.engine.strangers):
        fix = f"noonday enroll {host}, or stop the agent there"
        yield Check(name="strangers", state="warn", text=f"{host} reports and is not enrolled.", next_action=fix)


def _blocked(context: Context) -> Iterator[Check]:
    for app in context.engine.state.apps.values():
        for release in app.releases.values():
            if release.blocked:
                version = release.ref.version
                text = f"{app.name} {version} is blocked: {release.blocked}"
                fix = f"nothing; or, once it is understood: noonday release unblock {app.name} {version} --why WHY"
                yield Check(name="blocked", state="ok", text=text, next_action=fix)
