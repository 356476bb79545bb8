"""Events as JSON. The event's class names its kind. A fact is read whole or not at all: what a newer Noonday added is
refused, since folding half of a fact would give another state."""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from noonday_coordinator.core.events import Event
from noonday_shared.errors import Permanent


def kind_of(event: Event) -> str:
    """`RolloutStarted` is kept as 'rollout-started'."""
    return _KINDS[type(event)]


def to_json(event: Event) -> str:
    return _ADAPTERS[kind_of(event)].dump_json(event).decode()


def to_data(event: Event) -> dict[str, Any]:
    """The event as plain JSON values."""
    data: dict[str, Any] = _ADAPTERS[kind_of(event)].dump_python(event, mode="json")
    return data


def from_json(kind: str, body: str) -> Event:
    """Raises `Permanent` for a kind or body that this version can't read: a fact must not be skipped."""
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        raise _unreadable(
            f"it holds a {kind[:60]!r}, which this version does not know", "start the newer Noonday again"
        )
    try:
        event: Event = adapter.validate_json(body, extra="forbid")
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            text = f"a {kind} in it has a field {where[:100]}, which this version does not know"
            raise _unreadable(text, "start the newer Noonday again") from error
        text = f"a {kind} in it can't be read ({where}: {problem['msg']})"
        raise _unreadable(text, "start the version that wrote it, or restore a backup") from error
    return event


def _unreadable(why: str, next_action: str) -> Permanent:
    return Permanent(f"The event log can't be used: {why}.", rule="event-log", next_action=next_action)


def _name(event: type[Any]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", event.__name__).lower()


_KINDS: dict[type[Any], str] = {event: _name(event) for event in get_args(Event)}
_ADAPTERS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(event) for event, name in _KINDS.items()}
