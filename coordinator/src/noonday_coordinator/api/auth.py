"""Who asks: the name of the bearer token. The context of the running coordinator, for every route."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from noonday_coordinator.api.context import Context
from noonday_coordinator.api.errors import WRONG_TOKEN
from noonday_shared.errors import BadInput

_bearer = HTTPBearer(auto_error=False, description="a token of coordinator.toml's [[tokens]]")


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(_context)]


def _caller(context: Ctx, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
    name = context.config.name_of(given.credentials) if given else None
    if name is None:
        raise BadInput(
            "The token is not one of this coordinator's." if given else "This needs a token, and none came with it.",
            rule=WRONG_TOKEN,
            next_action="give the token that 'noonday init' printed, or add one under [[tokens]] in coordinator.toml",
        )
    return name


Caller = Annotated[str, Depends(_caller)]
"""The token's name; it stands in the log as the one who did it."""
