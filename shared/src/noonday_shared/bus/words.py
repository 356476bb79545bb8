"""pika's errors, and what a broker answers, as sentences for the person who has to mend it. Never with a password."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator

import pika
from pika import exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorStackTimeout

from noonday_shared.topology import agent_queue

_AGAIN = "Trying again by itself."


def connection_failed(error: BaseException, parameters: pika.connection.Parameters) -> str:
    """Why no connection could be made, or why it ended."""
    where = f"{parameters.host}:{parameters.port}"
    chain = list(_causes(error))
    for cause in chain:
        if text := _known(cause, where, parameters):
            return text
    return f"The connection to the broker {where} failed: {_brief(chain[-1])}. {_AGAIN}"


def not_connected_yet(parameters: pika.connection.Parameters) -> str:
    return f"Not connected to the broker {parameters.host}:{parameters.port} yet."


def blocked(reason: str) -> str:
    return f"The broker takes no messages now ({reason}): what is to be sent waits. Free its memory or disk."


def silent(what: str, seconds: float) -> str:
    return f"The broker did not answer within {seconds:g} s ({what}): connecting anew. {_AGAIN}"


def missing_queue(queue: str) -> str:
    host = queue.removeprefix(agent_queue(""))
    mend = f"run: noonday enroll {host}" if host != queue else "start the coordinator: noonday serve"
    return f"The queue {queue} is not on the broker; {mend}. {_AGAIN}"


def in_use(queue: str) -> str:
    host = queue.removeprefix(agent_queue(""))
    if host != queue:
        return (
            f"Another agent is already connected as this host ({host}), so this one does nothing: stop one of them. "
            f"Right after a lost connection that may be our own, which the broker gives up within a minute. {_AGAIN}"
        )
    return f"Somebody else consumes the queue {queue}: stop one of them. {_AGAIN}"


def is_in_use(error: exceptions.ChannelClosed) -> bool:
    """Whether the broker refuses a queue because somebody else has it alone, or has it where we want it alone."""
    return error.reply_code in (403, 405) and "exclusive" in error.reply_text


def consuming_failed(queue: str, error: exceptions.ChannelClosed) -> str:
    if error.reply_code == 404:
        return missing_queue(queue)
    if is_in_use(error):
        return in_use(queue)
    return f"The broker does not let us consume the queue {queue}: {error.reply_text}. {_AGAIN}"


def declaring_failed(name: str, error: exceptions.ChannelClosed) -> str:
    if error.reply_code == 406:
        return (
            f"{name} is on the broker with other settings than ours: {error.reply_text}. "
            f"Delete it there, and it is declared anew. {_AGAIN}"
        )
    return f"The broker does not let us declare {name}: {error.reply_text}. {_AGAIN}"


def publishing_failed(error: exceptions.ChannelClosed) -> str:
    missing = re.search(r"no exchange '([^']+)'", error.reply_text)
    if missing:
        return no_exchange(missing[1])
    return f"The broker does not let us publish: {error.reply_text}. {_AGAIN}"


def no_exchange(name: str) -> str:
    return f"The exchange {name} is not on the broker; start the coordinator: noonday serve. {_AGAIN}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, outermost first. pika wraps in four ways."""
    yield error
    inner = [
        *getattr(error, "exceptions", ())[-1:],
        getattr(error, "exception", None),
        *(part for part in error.args if isinstance(part, BaseException)),
    ]
    for cause in inner:
        if isinstance(cause, BaseException):
            yield from _causes(cause)
            return


def _known(cause: BaseException, where: str, parameters: pika.connection.Parameters) -> str:
    return _said_by_the_broker(cause, where, parameters) or _said_by_the_network(cause, where, parameters)


def _said_by_the_broker(cause: BaseException, where: str, parameters: pika.connection.Parameters) -> str:
    match cause:
        case exceptions.ProbableAuthenticationError() | exceptions.AuthenticationError():
            user = getattr(parameters.credentials, "username", "")
            return f"The broker {where} refuses the user {user!r} or its password. Mend the broker's url. {_AGAIN}"
        case exceptions.ProbableAccessDeniedError():
            return _no_vhost(where, parameters)
        case exceptions.ConnectionClosedByBroker(reply_code=530):
            return _no_vhost(where, parameters)
        case exceptions.ConnectionClosedByBroker():
            return f"The broker {where} closed the connection: {cause.reply_text}. {_AGAIN}"
        case exceptions.ConnectionBlockedTimeout():
            return f"The broker {where} took no messages for too long: free its memory or disk. {_AGAIN}"
        case _:
            return ""


def _said_by_the_network(cause: BaseException, where: str, parameters: pika.connection.Parameters) -> str:
    match cause:
        case exceptions.AMQPHeartbeatTimeout():
            return f"The broker {where} has fallen silent: no heartbeat came. {_AGAIN}"
        case socket.gaierror():
            return f"The broker's name {parameters.host} can't be resolved: {cause.strerror}. {_AGAIN}"
        case ConnectionRefusedError():
            return f"Nothing listens at the broker's address {where}: start RabbitMQ there. {_AGAIN}"
        case ssl.SSLError():
            return f"TLS with the broker {where} failed: {_brief(cause)}. Check ca_file and the port. {_AGAIN}"
        case TimeoutError() | AMQPConnectorStackTimeout() | exceptions.ConnectionOpenAborted():
            return f"The broker {where} does not answer: check address and firewall. {_AGAIN}"
        case exceptions.IncompatibleProtocolError():
            return f"What listens at {where} hangs up at once: no RabbitMQ is up there, or it is another port. {_AGAIN}"
        case _:
            return ""


def _no_vhost(where: str, parameters: pika.connection.Parameters) -> str:
    return (
        f"The broker {where} does not let us into the virtual host {parameters.virtual_host!r}: "
        f"create it or grant access to it. {_AGAIN}"
    )


def _brief(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]
