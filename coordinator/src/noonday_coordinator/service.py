"""`noonday serve`: the log, the engine, the bus and the API, wired together for as long as the process lives."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from noonday_coordinator.api.context import VERSION, Context
from noonday_coordinator.capability import Capabilities
from noonday_coordinator.config import CoordinatorConfig, load
from noonday_coordinator.engine import Engine
from noonday_coordinator.store.artifacts import ArtifactStore
from noonday_coordinator.store.catalogue import CatalogueStore
from noonday_coordinator.store.event_log import EventLog
from noonday_coordinator.store.folded import FoldedState
from noonday_coordinator.store.lines import LineBuffer
from noonday_coordinator.store.sqlite import is_full, no_room
from noonday_coordinator.store.windows import WindowStore
from noonday_shared.bus.rabbit import RabbitBus
from noonday_shared.clock import SystemClock
from noonday_shared.errors import Permanent
from noonday_shared.keys import SigningKey
from noonday_shared.memory import give_memory_back, make_room_for_names

if TYPE_CHECKING:
    import uvicorn

LEAVE_WITHIN = 5
"""Seconds that requests under way get to end after SIGTERM."""

GONE_AFTER = 60
"""Seconds after which a client that takes nothing of what is sent to it, or answers no probe of its TCP, is gone."""

_log = logging.getLogger(__name__)


def serve(path: Path) -> None:
    """Be the coordinator until SIGTERM or SIGINT; call it in the main thread.

    Raises `BadInput`, `Permanent` or, on a full disk, `Temporary` when it can't begin. An unreachable broker is no such
    case: it keeps trying.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = load(path)
    give_memory_back()
    with _stopped_by_signals() as stop, ExitStack() as stack:
        # First: its lock keeps a second coordinator away from everything else.
        log = stack.enter_context(closing(EventLog.open(config.data_dir / "events.sqlite")))
        listener = stack.enter_context(_bound(config))
        context = _wire(config, log, stack)
        server = stop.server = _server(context)
        server.should_exit = stop.asked
        make_room_for_names()
        _log.info("Noonday %s in term %s listens on %s.", VERSION, context.engine.state.term, config.http.listen)
        server.run(sockets=[listener])
    _log.info("Stopped. Hosts go on as they are; what was under way goes on with the next start.")


def _server(context: Context) -> uvicorn.Server:
    # Reading these modules takes as long as all that came before, and by now the engine gives hosts their orders.
    import uvicorn  # noqa: PLC0415

    from noonday_coordinator.api.app import make_app  # noqa: PLC0415

    return uvicorn.Server(
        uvicorn.Config(
            make_app(context),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=LEAVE_WITHIN,
        )
    )


class _Stop:
    """Whether a signal came, also before there is a server to tell."""

    def __init__(self) -> None:
        self.asked = False
        self.server: uvicorn.Server | None = None

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True
        if self.server is not None:
            self.server.should_exit = True


@contextmanager
def _stopped_by_signals() -> Iterator[_Stop]:
    # uvicorn catches signals while it runs and raises them again at its end: without our own handlers the process
    # would then die before the log and the bus are closed.
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wire(config: CoordinatorConfig, log: EventLog, stack: ExitStack) -> Context:
    """All parts, started; `stack` stops them in the opposite order."""
    key = SigningKey.load(config.coordinator_key_file)
    windows = stack.enter_context(closing(WindowStore.open(config.data_dir / "windows.sqlite")))
    catalogue = stack.enter_context(closing(CatalogueStore.open(config.data_dir / "catalogue.sqlite")))
    with _usable(config.data_dir):
        capabilities = Capabilities.kept_in(config.data_dir / "artifacts.secret", config.http.base_url)
        artifacts = ArtifactStore(config.data_dir / "artifacts")
    bus = RabbitBus(config.broker.url, ca_file=config.broker.ca_file, name="noonday-coordinator")
    stack.callback(bus.close)
    clock, lines = SystemClock(), LineBuffer()
    engine = Engine(
        log=log,
        windows=windows,
        catalogue=catalogue,
        bus=bus,
        key=key,
        artifact_url=capabilities.url,
        clock=clock,
        lines=lines,
        folded=FoldedState(config.data_dir / "events.folded", key),
    )
    stack.callback(engine.close)
    engine.start()
    bus.start()
    return Context(
        config=config,
        coordinator_key=key.public,
        engine=engine,
        bus=bus,
        log=log,
        lines=lines,
        windows=windows,
        catalogue=catalogue,
        artifacts=artifacts,
        capabilities=capabilities,
        clock=clock,
    )


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """What the disk refuses while the coordinator begins, in words."""
    try:
        yield
    except OSError as error:
        if is_full(error, folder):
            raise no_room(folder) from error
        text = f"{error.filename or folder} can't be used: {error.strerror}."
        raise Permanent(text, next_action="check data_dir in coordinator.toml and its owner") from error


@contextmanager
def _bound(config: CoordinatorConfig) -> Iterator[socket.socket]:
    host, port = config.http.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise Permanent(
            f"The API can't listen on {config.http.listen}: {error.strerror}.",
            rule="listen",
            next_action="stop what listens there, or set [http] listen in coordinator.toml",
        ) from error
    with listener:
        _hang_up_on_who_is_gone(listener)
        yield listener


def _hang_up_on_who_is_gone(listener: socket.socket) -> None:
    # uvicorn waits for a client's next read, or request, without end. Connections inherit these from who listens.
    probes = 3
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(GONE_AFTER // 2, 1))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(GONE_AFTER // 2 // probes, 1))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probes)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_AFTER * 1000)
