"""Another agent on a host's configuration, as somebody starts it who copied the whole machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.webshop.child import Child
from examples.webshop.command_line import program
from support.fleet import Fleet
from support.fleet_host import FleetHost


@dataclass(frozen=True)
class SecondAgent:
    child: Child
    log: Path

    @property
    def pid(self) -> int:
        return self.child.pid


@contextmanager
def second_agent(fleet: Fleet, host: FleetHost, name: str) -> Iterator[SecondAgent]:
    """With the configuration of `host`, under `name`, on a state folder of its own."""
    folder = Path(tempfile.mkdtemp(dir=fleet.folder, prefix=f"second-{name}-"))
    config, log = folder / "agent.toml", folder / "agent.log"
    text = host.agent_toml.read_text().replace(str(host.state_dir), str(folder / "state"))
    config.write_text(text.replace(f'host = "{host.name}"', f'host = "{name}"'))
    other = Child(name, [program("noonday-agent"), "run", "--config", str(config)], output=log)
    try:
        yield SecondAgent(other, log)
    finally:
        other.stop()
