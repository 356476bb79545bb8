"""A real supervisord for tests, ended after each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from examples.parts.supervisord import Program, SupervisordProcess

StartSupervisord = Callable[..., SupervisordProcess]


@pytest.fixture
def start_supervisord() -> Iterator[StartSupervisord]:
    """`start_supervisord(programs, **options)`: running; may be called more than once."""
    with ExitStack() as stack:

        def start(programs: Iterable[Program], **options: str) -> SupervisordProcess:
            # pytest's own folders are too deep for a unix socket.
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="nd-sv-")))
            server = SupervisordProcess(folder, programs, **options)
            stack.callback(server.kill)
            server.start()
            return server

        yield start
