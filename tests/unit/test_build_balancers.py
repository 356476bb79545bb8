from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from noonday_agent.balancers.build import build_balancers
from noonday_agent.config import BalancerSettings, CommandBalancer, EndpointBalancer, FileBalancer, HaproxyBalancer
from noonday_shared.errors import BadInput
from support.fake_clock import FakeClock


def _names(*settings: BalancerSettings, app: str = "web") -> list[str]:
    return [each.name for each in build_balancers(app, settings, Path("/nowhere"), FakeClock())]


def _haproxy(address: str = "/run/haproxy/admin.sock") -> HaproxyBalancer:
    return HaproxyBalancer(kind="haproxy", address=address, backend="web", server="web-1")


def _command(*take_out: str) -> CommandBalancer:
    ask: Sequence[str] = ("true",)
    return CommandBalancer(kind="command", take_out=take_out, put_back=ask, in_service=ask, idle=ask)


def test_every_kind_has_a_short_name() -> None:
    assert _names(
        _haproxy(),
        EndpointBalancer(kind="endpoint", listen="0.0.0.0:8401"),
        FileBalancer(kind="file", path=Path("/srv/www/health")),
        _command("/usr/local/bin/lb", "out", "--token=secret"),
    ) == ["haproxy web/web-1", "endpoint 0.0.0.0:8401", "file health", "command lb"]


def test_a_pair_of_haproxies_is_told_apart_by_its_addresses() -> None:
    assert _names(_haproxy("10.0.0.2:9999"), _haproxy("10.0.0.3:9999")) == [
        "haproxy web/web-1 at 10.0.0.2:9999",
        "haproxy web/web-1 at 10.0.0.3:9999",
    ]


def test_files_and_commands_of_one_name_are_told_apart_without_showing_arguments() -> None:
    one, two = (FileBalancer(kind="file", path=Path(f"/srv/{site}/health")) for site in ("a", "b"))
    assert _names(one, _command("lb", "--token=secret"), two, _command("lb", "--token=other")) == [
        "file /srv/a/health",
        "command lb #2",
        "file /srv/b/health",
        "command lb #4",
    ]


def test_the_same_balancer_twice_is_refused() -> None:
    with pytest.raises(BadInput, match=r"haproxy web/web-1 at /run/haproxy/admin\.sock is there 2 times"):
        _names(_haproxy(), _haproxy())


def test_two_apps_never_share_a_marker(tmp_path: Path) -> None:
    endpoint = EndpointBalancer(kind="endpoint", listen="127.0.0.1:8401")
    for app in ("web", "api"):
        build_balancers(app, [endpoint], tmp_path, FakeClock())[0].take_out()
    assert len(list((tmp_path / "balancers").iterdir())) == 2
