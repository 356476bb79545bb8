"""The demo's own figures: what its customers saw."""

from __future__ import annotations

import sys
from dataclasses import asdict

from bench.figures import Figure
from examples.webshop.demo import run


def measure() -> Figure:
    """Play the demo, its words on stderr."""
    result = run(sys.stderr)
    load = result.load
    return Figure(
        name="demo: failed requests",
        bar="0 of all",
        ours=f"{load.failed} of {load.requests}, longest pause {load.longest_pause * 1000:.0f} ms",
        reached=not result.missed,
        peer="; ".join(f"{step.title}: {step.verdict}" for step in result.steps),
        raw={
            "load": asdict(load),
            "seconds_out": dict(result.seconds_out),
            "most_out": result.most_out,
            "seconds": result.seconds,
            "missed": list(result.missed),
        },
    )
