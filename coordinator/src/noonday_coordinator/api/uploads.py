"""Releases come in (with a token) and go out (with a capability). Nothing is held in memory but a piece of a file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse

from noonday_coordinator.api import models as m
from noonday_coordinator.api.auth import Caller, Ctx
from noonday_coordinator.api.context import Context
from noonday_coordinator.api.errors import STALLED, not_found
from noonday_coordinator.core.commands import Push
from noonday_coordinator.core.events import Record
from noonday_coordinator.store.artifacts import taken
from noonday_coordinator.words import say_all
from noonday_shared.envelope import LARGEST
from noonday_shared.errors import BadInput, Temporary
from noonday_shared.release.manifest import SignedRelease

router = APIRouter(tags=["releases"])
downloads = APIRouter(tags=["releases"])

PIECE_WITHIN = 30.0
"""Seconds for the next piece of an upload; a client that is gone often says nothing of it."""

_PIECE = 1 << 20
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/apps/{app}/releases", openapi_extra=_BODY)
async def push(
    app: str,
    request: Request,
    context: Ctx,
    by: Caller,
    manifest_bytes: Annotated[int, Header(alias=m.MANIFEST_BYTES, ge=1, le=LARGEST)],
    why: Annotated[str, Query(max_length=1000, description="kept in the history")] = "",
) -> m.Pushed:
    """Take a release. The body is the signed manifest (as many bytes as the header says), then at once the archive.

    Safe to repeat with the same content; the same version with other content is refused.
    """
    # A refusal may come before the body has ended: uvicorn then reads on and drops the rest, so that the client, which
    # is still sending, sees the reason and not a broken connection.
    try:
        return await _push(app, _Body(request.stream()), context, by, why, manifest_bytes)
    except ClientDisconnect as error:
        raise Temporary("The upload broke off.", next_action="push it again") from error


@downloads.head("/artifacts/{capability}/{name}", include_in_schema=False)
@downloads.get("/artifacts/{capability}/{name}")
def artifact(capability: str, name: str, context: Ctx) -> FileResponse:
    """An archive or its manifest; parts of it with `Range`. Needs no token: the address can't be guessed."""
    found = context.artifacts.find(name) if context.capabilities.allows(capability, name) else None
    if found is None:
        raise not_found("not-found", "There is no such artifact.", "noonday release list APP")
    return FileResponse(found, media_type="application/octet-stream")


class _Body:
    """A request's body, read to a wanted length; what came too much is kept for the next read."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._left = bytearray()

    async def read(self, size: int) -> bytes:
        """Exactly `size` bytes, or fewer at the end."""
        while len(self._left) < size:
            piece = await self._next()
            if piece is None:
                break
            self._left += piece
        taken_now = bytes(self._left[:size])
        del self._left[:size]
        return taken_now

    async def _next(self) -> bytes | None:
        try:
            async with asyncio.timeout(PIECE_WITHIN):
                return await anext(self._stream, None)
        except TimeoutError as error:
            text = f"The upload is given up: nothing more of it came for {PIECE_WITHIN:g} s. Nothing of it is kept."
            raise Temporary(
                text, rule=STALLED, next_action="check the way to the coordinator, then push it again"
            ) from error


async def _push(app: str, body: _Body, context: Context, by: str, why: str, manifest_bytes: int) -> m.Pushed:
    manifest = await body.read(manifest_bytes)
    keys = context.config.trusted_releases
    release = await run_in_threadpool(context.artifacts.check, manifest, keys)
    _check_names(app, release, context)
    draft, file = context.artifacts.draft(release.size)
    try:
        await _receive(body, file, release.size)
        new, records = await run_in_threadpool(_keep, app, draft, manifest, context, by, why)
    finally:
        draft.unlink(missing_ok=True)
    words = say_all(records) if records else f"{app} {release.version} was pushed before, with this content."
    return m.Pushed(app=app, version=release.version, digest=release.digest, new=new, words=words)


def _keep(
    app: str, draft: Path, manifest: bytes, context: Context, by: str, why: str
) -> tuple[bool, tuple[Record, ...]]:
    """Whether it was not kept before, and what the log says of it now."""
    # One at a time: an archive that comes back must not be deleted by the push of another.
    with context.pushing:
        release = context.artifacts.put(draft, manifest, context.config.trusted_releases)
        before = context.engine.state.app(app).releases.get(release.version)
        command = Push(app, release.ref, release.size, release.manifest, context.config.keep_releases, why)
        records = context.submit(command, by)
        for known in context.engine.state.app(app).releases.values():
            if known.pruned:
                context.artifacts.remove(app, known.ref)
    return before is None or before.pruned, records


def _check_names(app: str, release: SignedRelease, context: Context) -> None:
    if release.app != app:
        text = f"The manifest is of {release.app}, and it was pushed as {app[:40]}."
        raise BadInput(text, rule="wrong-app", next_action="push it under its own name")
    # The log remembers versions also when the folder of archives was lost.
    known = context.engine.state.app(app).releases.get(release.version)
    if known is not None and known.ref != release.ref:
        raise taken(release, known.ref)


async def _receive(body: _Body, file: IO[bytes], size: int) -> None:
    """Write `size` bytes to disk. Raises `BadInput` when the body is shorter or longer."""
    written = 0
    with file:
        while piece := await body.read(_PIECE):
            written += len(piece)
            if written > size:
                break
            await run_in_threadpool(_write, file, piece)
        await run_in_threadpool(_flush, file)
    if written != size:
        more = "more" if written > size else f"{written}"
        text = f"The archive is refused: its manifest says {size} bytes, and {more} came."
        raise BadInput(text, rule="size-mismatch", next_action="push the archive that was built")


def _write(file: IO[bytes], piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise _full(Path(file.name), error) from error


def _flush(file: IO[bytes]) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise _full(Path(file.name), error) from error


def _full(path: Path, error: OSError) -> Temporary:
    text = f"The archive can't be written: {error.strerror}."
    return Temporary(text, rule="disk-full", next_action=f"free space in {path.parent.parent}, then push again")
