"""A real RabbitMQ for the tests: a private node, or a container where RabbitMQ is not installed but Docker is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

import pytest

from examples.parts.rabbitmq import RabbitNode, scripts
from support.rabbitmq_container import RabbitContainer, docker_answers


class RabbitMQ(Protocol):
    """Runs when a test gets it; a test that stops it starts it again."""

    @property
    def url(self) -> str: ...

    def start(self) -> None:
        """Block until AMQP answers; on the same port as before, with the data that was kept."""

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def wipe(self) -> None:
        """Back as a new broker on the same port."""

    def close(self) -> None: ...

    def ctl(self, *args: str) -> str: ...


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    node = _made(tmp_path_factory)
    try:
        node.start()
        yield node
    finally:
        node.close()


def _made(folders: pytest.TempPathFactory) -> RabbitMQ:
    if scripts() is not None:
        return RabbitNode(folders.mktemp("rabbitmq"))
    if docker_answers():
        return RabbitContainer()
    reason = "RabbitMQ is missing, and so is Docker: apt-get install rabbitmq-server"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
