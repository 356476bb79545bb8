"""`KEEP=1`: the demo's world goes on until Ctrl-C, with a word on what to try."""

from __future__ import annotations

import shlex
import threading

from examples.webshop.command_line import program
from examples.webshop.server import APP
from examples.webshop.world import World


def keep(made: World) -> None:
    """Print what to try, and let customers come until a signal ends it."""
    print(_words(made), flush=True)
    with made.customers():
        threading.Event().wait()


def _words(made: World) -> str:
    env = made.coordinator.typed.env
    exports = "\n".join(f"  export {name}={shlex.quote(value)}" for name, value in env.items())
    return f"""
It goes on until Ctrl-C, with customers at http://127.0.0.1:{made.port}/. In another terminal:

{exports}
  alias noonday={shlex.quote(program("noonday"))}

  noonday hosts
  noonday status
  noonday findings r3; noonday findings {APP}   # of one rollout; of the newest
  noonday compare {APP}
  noonday replay r3                            # the same verdict again, from what was kept
  noonday caveats list {APP} --all
  noonday logs {APP} --follow
  noonday history {APP}
  noonday deploy {APP} 1.0.0 --plan
  noonday deploy {APP} 1.0.0                    # an older release is a release like any other
  noonday drain web-2; noonday hosts; noonday undrain web-2
  noonday release unblock {APP} 1.2.0 --why "to see it fail again"; noonday deploy {APP} 1.2.0
  noonday logs {APP} --only-new --follow        # meanwhile, in one more terminal
  noonday doctor

Everything lies in {made.folder}: coordinator/ with apps/{APP}.toml, web-1/ and so on with agent.toml and log/,
and sources/ with the shop's releases; change one and build your own:

  noonday release build {made.folder}/sources/1.1.0 --version 1.1.1 --out /tmp
"""
