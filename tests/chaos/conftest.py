"""One real fleet for all chaos tests: it must be whole again after each of them anyway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.fleet import Fleet, lent, running_fleet
from support.rabbitmq import RabbitMQ


@pytest.fixture(scope="package")
def whole_fleet(rabbitmq: RabbitMQ) -> Iterator[Fleet]:
    """Three hosts, so that two may be in trouble while one goes on serving."""
    with running_fleet(rabbitmq, hosts=3, apps=("web",)) as made:
        yield made


@pytest.fixture
def fleet(whole_fleet: Fleet) -> Iterator[Fleet]:
    yield from lent(whole_fleet)
