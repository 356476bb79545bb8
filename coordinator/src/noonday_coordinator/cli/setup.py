"""`noonday init` and `noonday serve`: make a coordinator's folder, and be the coordinator."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click

from noonday_coordinator.cli.output import Output
from noonday_coordinator.cli.session import local
from noonday_coordinator.init import Made
from noonday_coordinator.init import init as make_folder
from noonday_shared.errors import BadInput


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--broker", required=True, metavar="URL", help="amqp:// or amqps:// with user, password, host and vhost.")
@click.option("--listen", default="127.0.0.1:7676", show_default=True, help="Where the API will listen.")
@click.option("--app", default="web", show_default=True, help="The app of the example policy.")
@local
def init(out: Output, folder: Path, broker: str, listen: str, app: str) -> None:
    """Make DIR a coordinator's folder.

    Writes coordinator.toml, keys and an example policy, and shows a token. Overwrites nothing.
    """
    if urlsplit(broker).scheme not in ("amqp", "amqps"):
        raise BadInput("--broker takes an amqp:// or amqps:// URL.", next_action="see docs/config.md, [broker]")
    try:
        made = make_folder(folder, broker_url=broker, listen=listen, app=app)
    except OSError as error:
        raise BadInput(f"{folder} can't be written: {error.strerror}.", next_action="give another folder") from error
    out.document(_raw(made), _words(made))


@click.command()
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("coordinator.toml"),
    show_default=True,
)
@local
def serve(out: Output, config: Path) -> None:
    """Be the coordinator, until SIGTERM or Ctrl-C.

    Its log goes to stderr.
    """
    # Only this command needs the server's parts; the others start faster without them.
    from noonday_coordinator.service import serve as be_coordinator  # noqa: PLC0415

    be_coordinator(config)


def _raw(made: Made) -> dict[str, str]:
    return {
        "config": str(made.config),
        "release_key": str(made.release_key),
        "policy": str(made.policy),
        "token": made.token,
        "token_name": made.token_name,
    }


def _words(made: Made) -> str:
    return "\n".join(
        (
            f"Made {made.config} with its keys, and the example policy {made.policy}.",
            f"The token of {made.token_name!r}, shown only now: {made.token}",
            "Next:",
            f"  noonday serve --config {made.config}",
            f"  export NOONDAY_TOKEN={made.token}",
            f"  export NOONDAY_RELEASE_KEY={made.release_key}",
            "  noonday enroll HOST --label role=web",
        )
    )
