"""`coordinator.toml`, and one policy file per app beside it. Paths in them are relative to the folder of the file."""

from __future__ import annotations

import difflib
import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from noonday_coordinator.core.policy import Policy
from noonday_shared.config import Settings, load_toml
from noonday_shared.errors import BadInput, NoondayError
from noonday_shared.keys import PublicKey
from noonday_shared.names import APP

FILE_NAME = "coordinator.toml"
NO_POLICY = "no-such-app"


def _key(text: str) -> str:
    try:
        PublicKey.parse(text)
    except BadInput as error:
        raise ValueError(error.text) from error
    return text


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 1 << 16):
        raise ValueError(f"{text!r} must be host:port, as in '127.0.0.1:7676'")
    return text


KeyText = Annotated[str, AfterValidator(_key)]
Address = Annotated[str, AfterValidator(_address)]


class Broker(Settings):
    """RabbitMQ, dialled out to."""

    url: str = Field(pattern=r"^amqps?://", description="amqp:// or amqps:// with user, password, host and vhost")
    ca_file: Path | None = Field(default=None, description="CA of an amqps broker; the system's when absent")
    agents_url: str = Field(
        default="",
        pattern=r"^(amqps?://.*)?$",
        description="what agents dial, written into their agent.toml; url when empty",
    )


class Http(Settings):
    """The API, for people's commands and for agents that fetch releases."""

    listen: Address = Field(default="127.0.0.1:7676", description="loopback; put TLS in front before opening it wider")
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^ ]+)?$",
        description="where agents fetch releases; http://<listen> when empty",
    )

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def base_url(self) -> str:
        return (self.public_url or f"http://{self.listen}").rstrip("/")


class Token(Settings):
    """Who may use the API: the name stands in the log as the one who did it."""

    name: str = Field(min_length=1, max_length=60, description="of a person or a program, each only once")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the token; the token itself is kept nowhere")


class CoordinatorConfig(Settings):
    """The whole file. Paths are relative to its folder."""

    data_dir: Path = Field(default=Path("data"), description="event log, error history and pushed releases")
    apps_dir: Path = Field(default=Path("apps"), description="one policy per app: <app>.toml")
    coordinator_key_file: Path = Field(
        default=Path("coordinator.key"), description="signs assignments; agents pin its public key"
    )
    release_keys: tuple[KeyText, ...] = Field(min_length=1, description="public keys that may sign releases")
    broker: Broker = Field(description="the way to the agents")
    keep_releases: int = Field(
        default=20,
        ge=2,
        description="newest archives kept of each app, beside those that hosts may still need; older ones are deleted",
    )
    http: Http = Field(default=Http(), description="where the API listens")
    tokens: tuple[Token, ...] = Field(min_length=1, description="who may use the API")

    @model_validator(mode="after")
    def _tokens_differ(self) -> CoordinatorConfig:
        if len({token.name for token in self.tokens}) != len(self.tokens):
            raise ValueError("two tokens have the same name; the log could not tell them apart")
        return self

    @property
    def trusted_releases(self) -> tuple[PublicKey, ...]:
        return tuple(PublicKey.parse(text) for text in self.release_keys)

    def name_of(self, token: str) -> str | None:
        """Whose token this is; None when it is nobody's. Takes as long for a wrong one as for a right one."""
        digest = hash_token(token)
        found = None
        for known in self.tokens:
            if hmac.compare_digest(known.sha256, digest):
                found = known.name
        return found


def hash_token(token: str) -> str:
    # A token holds 256 random bits: nothing to guess, so one fast hash is enough.
    return hashlib.sha256(token.encode()).hexdigest()


def load(path: Path) -> CoordinatorConfig:
    """The file, with its paths made absolute. Raises `BadInput` with the key's path and the nearest known key."""
    config = load_toml(path, CoordinatorConfig)
    folder = path.absolute().parent
    broker = config.broker
    if broker.ca_file is not None:
        broker = broker.model_copy(update={"ca_file": folder / broker.ca_file})
    return config.model_copy(
        update={
            "data_dir": folder / config.data_dir,
            "apps_dir": folder / config.apps_dir,
            "coordinator_key_file": folder / config.coordinator_key_file,
            "broker": broker,
        }
    )


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy files, read again at each use: an edited file counts from the next rollout on."""

    folder: Path

    def of(self, app: str) -> Policy:
        """Raises `BadInput`: rule `no-such-app` when there is no such file, else naming the file and the key."""
        path = self.folder / f"{app}.toml"
        if not re.fullmatch(APP, app) or not path.is_file():
            raise self.unknown(app)
        policy = load_toml(path, Policy)
        if policy.app != app:
            raise BadInput(
                f"{path} says app = {policy.app!r}; a policy's file is named after its app.",
                next_action=f"mend app in {path}, or rename the file to {policy.app}.toml",
            )
        return policy

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(path.stem for path in self.folder.glob("*.toml")))

    def trouble(self, app: str) -> NoondayError | None:
        """Why the app's policy can't be used; None when it can."""
        try:
            self.of(app)
        except NoondayError as error:
            return error
        return None

    def unknown(self, app: str) -> BadInput:
        """The refusal of a name that no policy has."""
        known = self.names()
        near = difflib.get_close_matches(app, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known apps: {', '.join(known) or 'none'}"
        return BadInput(
            f"There is no app {app[:40]!r}: no policy {app[:40]}.toml in {self.folder} ({hint})",
            rule=NO_POLICY,
            next_action=f"write its policy in {self.folder}, or mend the name",
        )
