"""The demo of the README, on its real parts, with less time for each step."""

from __future__ import annotations

import io

import pytest

from examples.webshop.demo import run
from examples.webshop.world import Shape
from support.need import need


@pytest.mark.timeout(600)
def test_the_demo_reaches_every_bar_and_no_request_fails() -> None:
    need("rabbitmq-server", "rabbitmq-server")
    need("haproxy", "haproxy")
    told = io.StringIO()
    result = run(told, Shape(history=8.0, examine=8.0, least_requests=80, outage=8.0))
    assert result.load.failed == 0, told.getvalue()
    assert not [missed for step in result.steps for missed in step.missed], told.getvalue()
    exits = {step.title: step.exit for step in result.steps}
    assert exits == {"1.1.0": 0, "1.2.0": 3, "1.3.0": 3, "1.4.0": 0}
    assert result.most_out == 1
