"""The HTTP API of one coordinator."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from noonday_coordinator.api import (
    routes_apps,
    routes_evidence,
    routes_fleet,
    routes_records,
    routes_replay,
    routes_rollouts,
    uploads,
)
from noonday_coordinator.api.context import VERSION, Context
from noonday_coordinator.api.errors import RESPONSES, add_handlers
from noonday_coordinator.api.models import PREFIX, Health

_ABOUT = "Releases in broad daylight. Every error is a `Problem`: a rule, a sentence, and what to do next."

_open = APIRouter(tags=["fleet"])


@_open.get("/health")
def health() -> Health:
    """Answers while the coordinator runs; needs no token."""
    return Health(version=VERSION)


def make_app(context: Context) -> FastAPI:
    """The app; `context` is what all routes stand on."""
    app = FastAPI(title="Noonday", version=VERSION, description=_ABOUT)
    app.state.context = context
    add_handlers(app)
    app.include_router(_open, prefix=PREFIX)
    for router in (
        routes_fleet.router,
        routes_rollouts.router,
        routes_apps.router,
        routes_evidence.router,
        routes_replay.router,
        routes_records.router,
        uploads.router,
    ):
        app.include_router(router, prefix=PREFIX, responses=RESPONSES)
    app.include_router(uploads.downloads)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's own way to change it
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI adds a 422 to every route, which this API never answers."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(name, None)
        app.openapi_schema = schema
    return app.openapi_schema
