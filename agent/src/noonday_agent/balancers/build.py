"""From an app's settings to its balancers."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from noonday_agent import config
from noonday_agent.balancers.command import CommandBalancer
from noonday_agent.balancers.file import FileBalancer
from noonday_agent.balancers.haproxy import HaproxyBalancer
from noonday_agent.balancers.marker import Marker
from noonday_agent.balancers.protocol import Balancer
from noonday_agent.processes.patience import Patience
from noonday_agent.underway import Underway, note_of
from noonday_shared.clock import Clock
from noonday_shared.errors import BadInput


def build_balancers(
    app_name: str,
    settings: Sequence[config.BalancerSettings],
    state_dir: Path,
    clock: Clock,
    patience: Patience | None = None,
) -> tuple[Balancer, ...]:
    """One driver for each table, asked nothing and started not yet. What they ask in a step lasts as long as
    `patience`. Raises `BadInput` when one is there twice."""
    site = _Site(app_name, state_dir, clock, patience or Patience())
    return tuple(_build(each, name, site) for each, name in zip(settings, _names(settings), strict=True))


@dataclass(frozen=True, slots=True)
class _Site:
    """What drivers of one app share."""

    app: str
    state_dir: Path
    clock: Clock
    patience: Patience

    def marker(self, kind: str, key: str, name: str) -> Marker:
        return Marker(_marker(self.state_dir / "balancers", self.app, kind, key), self.clock, name)

    def note(self, name: str) -> Underway:
        return note_of(self.state_dir, self.app, f"balancer-{hashlib.sha256(name.encode()).hexdigest()[:8]}")


def _build(each: config.BalancerSettings, name: str, site: _Site) -> Balancer:
    match each:
        case config.HaproxyBalancer():
            return HaproxyBalancer(each, name, site.patience)
        case config.EndpointBalancer():
            # An HTTP server is a megabyte that only this driver needs.
            from noonday_agent.balancers.endpoint import EndpointBalancer  # noqa: PLC0415

            return EndpointBalancer(each, site.marker("endpoint", each.listen, name), name)
        case config.FileBalancer():
            return FileBalancer(each, site.marker("file", str(each.path), name), name)
        case config.CommandBalancer():
            return CommandBalancer(each, name, site.patience, site.note(name))
        case _:
            assert_never(each)


def _names(settings: Sequence[config.BalancerSettings]) -> list[str]:
    """Short where that tells them apart; a pair of HAProxies has the same backend and server, so its addresses do."""
    short = Counter(_short(each) for each in settings)
    names = [
        _short(each) if short[_short(each)] == 1 else _long(each, number) for number, each in enumerate(settings, 1)
    ]
    for name, times in Counter(names).items():
        if times > 1:
            raise BadInput(
                f"The balancer {name} is there {times} times.",
                next_action="remove all but one from the app's balancers in agent.toml",
            )
    return names


def _short(each: config.BalancerSettings) -> str:
    match each:
        case config.HaproxyBalancer(backend=backend, server=server):
            return f"haproxy {backend}/{server}"
        case config.EndpointBalancer(listen=listen):
            return f"endpoint {listen}"
        case config.FileBalancer(path=path):
            return f"file {path.name}"
        case config.CommandBalancer(take_out=take_out):
            return f"command {Path(take_out[0]).name}"
        case _:
            assert_never(each)


def _long(each: config.BalancerSettings, number: int) -> str:
    match each:
        case config.HaproxyBalancer(address=address):
            return f"{_short(each)} at {address}"
        case config.FileBalancer(path=path):
            return f"file {path}"
        case config.CommandBalancer():
            # Not its arguments: names are shown everywhere, and an argument may be a password.
            return f"{_short(each)} #{number}"
        case config.EndpointBalancer():
            return _short(each)
        case _:
            assert_never(each)


def _marker(folder: Path, app: str, kind: str, key: str) -> Path:
    """One for each app and address, the same in every run, readable by a person and never colliding."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", key)[-60:]
    return folder / f"{app}.{kind}.{plain}.{hashlib.sha256(key.encode()).hexdigest()[:8]}"
