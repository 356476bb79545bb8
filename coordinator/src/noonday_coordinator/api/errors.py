"""Every failure of the API as one shape, `Problem`, and a status that a program can act on."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from noonday_coordinator.api.context import Refusal
from noonday_coordinator.api.models import Problem
from noonday_shared.errors import BadInput, NoondayError, Temporary

WRONG_TOKEN = "wrong-token"  # noqa: S105  # a rule's name
STALLED = "upload-stalled"
_NOT_FOUND = frozenset(
    {
        "not-found",
        "no-such-app",
        "no-such-rollout",
        "no-such-release",
        "no-such-key",
        "no-such-caveat",
        "no-windows",
        "not-enrolled",
        "not-pushed",
    }
)
_CONFLICTS = frozenset({"same-version-other-content", "already-enrolled"})

RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "What was sent, or a file it needs, can't be used"},
    401: {"model": Problem, "description": "No token, or a wrong one"},
    404: {"model": Problem, "description": "No such app, host, release or rollout"},
    409: {"model": Problem, "description": "Refused as things are now; nothing was changed"},
    503: {"model": Problem, "description": "Not now; trying again may help"},
}

_log = logging.getLogger(__name__)


def add_handlers(app: FastAPI) -> None:
    app.add_exception_handler(NoondayError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def not_found(rule: str, text: str, next_action: str) -> BadInput:
    return BadInput(text, rule=rule, next_action=next_action)


def status_of(error: NoondayError) -> int:
    if error.rule == WRONG_TOKEN:
        return 401
    if error.rule in _NOT_FOUND:
        return 404
    if isinstance(error, Refusal) or error.rule in _CONFLICTS:
        return 409
    if isinstance(error, BadInput):
        return 400
    return 503 if isinstance(error, Temporary) else 500


def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NoondayError)  # noqa: S101  # registered for it alone; Starlette's type is wider
    status = status_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if error.rule == STALLED:
        headers["Connection"] = "close"  # else uvicorn goes on to wait for the rest of the body
    return _reply(status, Problem(rule=error.rule, text=error.text, next_action=error.next_action), headers)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # as above
    sentences = "; ".join(_sentence(problem) for problem in error.errors()[:5])
    return _reply(400, Problem(rule="bad-input", text=f"{sentences}.", next_action="see /docs for what is taken"))


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # as above
    text = f"{request.method} {request.url.path}: {str(error.detail).lower()}."
    rule = "not-found" if error.status_code == 404 else "bad-request"
    return _reply(error.status_code, Problem(rule=rule, text=text, next_action="see /docs for all addresses"))


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # The server must answer and go on; the trace is in its log.
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    text = f"{request.method} {request.url.path} failed in the coordinator: {type(error).__name__}."
    return _reply(500, Problem(rule="internal", text=text, next_action="read the coordinator's log, and report this"))


def _reply(status: int, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(), status_code=status, headers=headers)


def _sentence(problem: dict[str, Any]) -> str:
    path = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query", "path")) or "the body"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {path}"
    if problem["type"] == "missing":
        return f"{path} is missing"
    return f"{path}: {str(problem['msg']).removeprefix('Value error, ')}"
