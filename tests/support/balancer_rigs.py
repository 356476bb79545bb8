"""Each balancer driver with its world, so that one suite can hold them all to the contract."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from noonday_agent.balancers.build import build_balancers
from noonday_agent.balancers.pool import Pool
from noonday_agent.balancers.protocol import Balancer
from noonday_agent.config import BalancerSettings, CommandBalancer, EndpointBalancer, FileBalancer
from support.fake_balancer import FakeBalancer, FakePlace
from support.fake_clock import FakeClock
from support.haproxy import HaproxyWorld
from support.ports import free_port

SETTLE = 10.0

_SCRIPT = """
cd {folder}/world || exit 2
case $1 in
  take_out) echo out > way ;;
  put_back) echo in > way ;;
  in_service) grep -qx in way ;;
  idle) grep -qx out way && ! [ -e busy ] ;;
esac
"""


@dataclass(frozen=True)
class Rig:
    """`build`: a new driver's object for the same place, as after a restart of the agent.

    `settle`: let the time pass that this kind of balancer gets for acting. `busy`: a request is under way inside it;
    None for a balancer that can't tell.
    """

    build: Callable[[], Balancer]
    break_world: Callable[[], None]
    settle: Callable[[], None] = lambda: None
    busy: Callable[[], AbstractContextManager[None]] | None = None


@contextmanager
def _haproxy(folder: Path, *, tcp: bool) -> Iterator[Rig]:
    world = HaproxyWorld(folder)
    world.start()
    try:
        address = f"127.0.0.1:{world.tcp_port}" if tcp else ""
        yield Rig(
            build=lambda: world.balancer(address=address),
            break_world=world.haproxy.stop,
            busy=lambda: _busy_web_1(world),
        )
    finally:
        world.stop()


@contextmanager
def _busy_web_1(world: HaproxyWorld) -> Iterator[None]:
    world.order("set server web/web-2 state maint")
    with world.slow_request_to(world.backends[0]):
        world.order("set server web/web-2 state ready")
        yield


@contextmanager
def _polled(folder: Path, settings: BalancerSettings) -> Iterator[Rig]:
    clock = FakeClock()
    state = folder / "state"

    def build() -> Balancer:
        return build_balancers("web", [settings], state, clock)[0]

    def break_world() -> None:
        shutil.rmtree(state, ignore_errors=True)
        state.write_text("no folder")

    listening = Pool([build()])
    listening.start()
    try:
        yield Rig(build, break_world, settle=lambda: clock.move(SETTLE))
    finally:
        listening.close()


@contextmanager
def _endpoint(folder: Path) -> Iterator[Rig]:
    settings = EndpointBalancer(kind="endpoint", listen=f"127.0.0.1:{free_port()}", settle=SETTLE)
    with _polled(folder, settings) as rig:
        yield rig


@contextmanager
def _file(folder: Path, present: Literal["in", "out"]) -> Iterator[Rig]:
    path = folder / "health"
    if present == "in":
        path.write_text("here")
    with _polled(folder, FileBalancer(kind="file", path=path, present=present, settle=SETTLE)) as rig:
        yield rig


@contextmanager
def _command(folder: Path) -> Iterator[Rig]:
    world = folder / "world"
    world.mkdir()
    (world / "way").write_text("in\n")
    script = folder / "balancer.sh"
    script.write_text(_SCRIPT.format(folder=folder))
    verbs = {verb: ("sh", str(script), verb) for verb in ("take_out", "put_back", "in_service", "idle")}
    settings = CommandBalancer(kind="command", timeout=10, **verbs)

    @contextmanager
    def busy() -> Iterator[None]:
        (world / "busy").touch()
        yield
        (world / "busy").unlink()

    yield Rig(
        build=lambda: build_balancers("web", [settings], folder, FakeClock())[0],
        break_world=lambda: shutil.rmtree(world),
        busy=busy,
    )


@contextmanager
def _fake(_: Path) -> Iterator[Rig]:
    place = FakePlace()

    @contextmanager
    def busy() -> Iterator[None]:
        place.under_way += 1
        yield
        place.under_way -= 1

    def break_world() -> None:
        place.reachable = False

    yield Rig(build=lambda: FakeBalancer(place), break_world=break_world, busy=busy)


RIGS: dict[str, Callable[[Path], AbstractContextManager[Rig]]] = {
    "haproxy over a unix socket": lambda folder: _haproxy(folder, tcp=False),
    "haproxy over TCP": lambda folder: _haproxy(folder, tcp=True),
    "endpoint": _endpoint,
    "file that means in": lambda folder: _file(folder, "in"),
    "file that means out": lambda folder: _file(folder, "out"),
    "command": _command,
    "fake": _fake,
}

TELL_REQUESTS = ("haproxy over a unix socket", "haproxy over TCP", "command", "fake")
"""The rigs with `busy`."""
