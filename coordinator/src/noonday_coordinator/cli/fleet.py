"""Commands about hosts."""

from __future__ import annotations

import click

from noonday_coordinator.api.models import Done, EnrollAsk, Enrolled, Hosts, WhyAsk
from noonday_coordinator.cli import tables, words
from noonday_coordinator.cli.client import part
from noonday_coordinator.cli.session import Session, connected
from noonday_coordinator.cli.session import why as reason
from noonday_shared.errors import BadInput
from noonday_shared.names import HOST, check_name


@click.command()
@connected
def hosts(session: Session) -> None:
    """All hosts, and what runs there.

    Also: when each was heard, and who reports without being enrolled.
    """
    value = session.client.get("/hosts", Hosts)
    session.out.document(value, tables.hosts(value))


@click.command()
@click.argument("host")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="As in role=web; may be repeated.")
@click.option("--public-key", default="", help="The host's own key; without it one is made and shown once.")
@click.option("--rotate", is_flag=True, help="Make a new key for a host that is enrolled already.")
@reason
@connected
def enroll(session: Session, *, host: str, labels: tuple[str, ...], public_key: str, rotate: bool, why: str) -> None:
    """Let HOST take part; print its configuration.

    Prints the host's part of agent.toml and, once, its private key. Writes nothing.
    """
    ask = EnrollAsk(
        host=check_name(HOST, host, "a host name"),
        labels=_labels(labels),
        public_key=public_key,
        rotate=rotate,
        why=why,
    )
    reply = session.client.post("/hosts", Enrolled, ask)
    session.out.document(reply, words.enrolled(reply))


@click.command()
@click.argument("host")
@reason
@connected
def remove(session: Session, host: str, why: str) -> None:
    """Let HOST take part no more.

    Its reports change nothing from now on; its apps go on as they are.
    """
    done = session.client.delete(f"/hosts/{part(host)}", Done, {"why": why} if why else None)
    session.out.document(done, done.words)


@click.command()
@click.argument("host")
@reason
@connected
def drain(session: Session, host: str, why: str) -> None:
    """Keep HOST out of its load balancers.

    All of its apps go out and stay out, until `undrain`; no rollout starts meanwhile.
    """
    _post(session, host, "drain", why)


@click.command()
@click.argument("host")
@reason
@connected
def undrain(session: Session, host: str, why: str) -> None:
    """Let HOST back into its load balancers."""
    _post(session, host, "undrain", why)


def _post(session: Session, host: str, verb: str, why: str) -> None:
    done = session.client.post(f"/hosts/{part(host)}/{verb}", Done, WhyAsk(why=why))
    session.out.document(done, done.words)


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (key and equals and value) or key in labels:
            raise BadInput(f"{text[:80]!r} is not a label, or is given twice.", next_action="write --label role=web")
        labels[key] = value
    return labels
