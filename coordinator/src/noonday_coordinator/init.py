"""A new coordinator's folder: configuration, keys, a first token and an example policy, all of it ready to edit."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from noonday_coordinator.config import FILE_NAME, hash_token
from noonday_shared.errors import BadInput
from noonday_shared.files import write_whole
from noonday_shared.keys import SigningKey

RELEASE_KEY = "release.key"
_COORDINATOR_KEY = "coordinator.key"


@dataclass(frozen=True, slots=True)
class Made:
    """What `init` made. `token` is shown to the person once and kept nowhere."""

    config: Path
    release_key: Path
    policy: Path
    token: str
    token_name: str


def init(folder: Path, *, broker_url: str, listen: str = "127.0.0.1:7676", by: str = "admin", app: str = "web") -> Made:
    """Make `folder` a coordinator's. Raises `BadInput` when one of its files is there: nothing is ever overwritten."""
    config, policy = folder / FILE_NAME, folder / "apps" / f"{app}.toml"
    release_key, coordinator_key = folder / RELEASE_KEY, folder / _COORDINATOR_KEY
    for path in (config, release_key, coordinator_key, policy):
        if path.exists():
            raise BadInput(
                f"{path} is there already, and init never overwrites: hosts pin these keys.",
                rule="already-made",
                next_action=f"use it as it is: noonday serve --config {config}; or give another folder",
            )
    policy.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe(32)
    keys = {coordinator_key: SigningKey.new(), release_key: SigningKey.new()}
    for path, key in keys.items():
        key.save(path)
    write_whole(policy, _POLICY.format(app=app))
    text = _CONFIG.format(
        broker_url=_quoted(broker_url),
        listen=_quoted(listen),
        release_key=_quoted(str(keys[release_key].public)),
        name=_quoted(by),
        sha256=hash_token(token),
    )
    # Last: a folder with a configuration is a whole one. It holds the broker's password.
    write_whole(config, text, mode=0o600)
    return Made(config, release_key, policy, token, by)


def new_token(name: str) -> tuple[str, str]:
    """A token, and its table for coordinator.toml."""
    token = secrets.token_urlsafe(32)
    return token, f'\n[[tokens]]\nname = {_quoted(name)}\nsha256 = "{hash_token(token)}"\n'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_CONFIG = """\
# Noonday's coordinator. Paths are relative to this file's folder. Every key: docs/config.md.

data_dir = "data"                         # event log, error history, pushed releases; one coordinator at a time
apps_dir = "apps"                         # one policy per app: apps/<app>.toml, read again at each use
coordinator_key_file = "coordinator.key"  # signs assignments; agents pin its public key. Keep a copy: a new key
                                          # means a new [trust] on every host.
release_keys = [{release_key}]  # public keys that may sign releases; the first is of release.key

[broker]
url = {broker_url}
# ca_file = "ca.pem"                      # CA of an amqps:// broker; the system's when absent
# agents_url = "amqps://agent:password@broker.example:5671/noonday"  # what agents dial, if it is not url

[http]
listen = {listen}               # loopback; put a TLS proxy in front before opening it wider
# public_url = "https://noonday.example"  # where agents fetch releases; http://<listen> when absent

[[tokens]]                                # who may use the API; the name stands in the log
name = {name}
sha256 = "{sha256}"
"""

_POLICY = """\
# How {app} is released. Read again at each use: an edit counts from the next rollout on. Waits are seconds.

app = "{app}"
hosts = {{ role = "{app}" }}    # labels that a host must carry, all of them

canary = 1                   # hosts of the first wave: a count, or a percentage such as "10%"
examine = 600                # how long the canary is compared before the others follow
least_requests = 200         # requests the canary must have answered to be promoted
waves = ["50%", "100%"]      # sizes of the waves after the canary
max_unavailable = 1          # hosts out of the load balancer at once, at most
# min_healthy = "75%"        # hosts that must stay in service; the stricter limit wins
# gates = ["canary"]         # wait for a person after the canary, or after wave n
# on_regression = "ask"      # instead of rolling back at once
"""
