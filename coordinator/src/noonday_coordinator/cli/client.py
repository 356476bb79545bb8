"""The coordinator's HTTP API as calls: models in, models out, and every failure a `NoondayError` in words."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from noonday_coordinator.api.models import MANIFEST_BYTES, PREFIX, Problem
from noonday_shared.errors import BadInput, NoondayError, Permanent, Temporary

DEFAULT_URL = "http://127.0.0.1:7676"
TOKEN_FILE = Path("~/.config/noonday/token")
WITHIN = 15.0
"""Seconds for one answer; the coordinator itself gives up on a command after 5."""
UPLOAD_WITHIN = 600.0
_CHUNK = 1 << 20

M = TypeVar("M", bound=BaseModel)
Query = Mapping[str, str | int]


class Unreachable(Temporary):
    """Nobody answers at the URL, or only a proxy that can't reach the coordinator."""

    rule = "unreachable"


class Client:
    """Calls block for up to `WITHIN` seconds. Raises `BadInput` for what the coordinator refuses (4xx), `Temporary`
    for what may pass (5xx), `Unreachable` when nobody answers, `Permanent` when something else answers."""

    def __init__(self, url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = _checked(url)
        self._has_token = bool(token)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=self.url + PREFIX,
            headers=headers,
            timeout=WITHIN,
            transport=transport,
            # A proxy of the environment can't reach this machine's own loopback.
            trust_env=not _is_loopback(self.url),
            verify=_tls(self.url),
        )

    def get(self, path: str, model: type[M], query: Query | None = None, *, within: float = WITHIN) -> M:
        """`within`: seconds for an answer that takes its time."""
        return self._call("GET", path, model, query=query, within=within)

    def post(self, path: str, model: type[M], body: BaseModel | None = None, *, within: float = WITHIN) -> M:
        """`within`: seconds for an answer that takes its time."""
        raw = body.model_dump(mode="json") if body else None
        return self._call("POST", path, model, json=raw, within=within)

    def delete(self, path: str, model: type[M], query: Query | None = None) -> M:
        return self._call("DELETE", path, model, query=query)

    def upload(self, path: str, model: type[M], manifest: bytes, archive: Path, query: Query | None = None) -> M:
        """Send the signed manifest and the archive in one body; blocks for as long as the network needs."""
        size = len(manifest) + archive.stat().st_size
        headers = {MANIFEST_BYTES: str(len(manifest)), "Content-Length": str(size)}
        with self._failures(UPLOAD_WITHIN):
            reply = self._http.post(
                path,
                params=query,
                content=_pieces(manifest, archive),
                headers=headers,
                timeout=httpx.Timeout(WITHIN, read=UPLOAD_WITHIN),
            )
        return self._read(reply, model)

    def lines(self, path: str, query: Query | None = None) -> Iterator[str]:
        """The lines of an answer of any length, as they come."""
        with self._failures(WITHIN), self._http.stream("GET", path, params=query) as reply:
            if not reply.is_success:
                reply.read()
                raise self._problem(reply)
            yield from reply.iter_lines()

    def close(self) -> None:
        self._http.close()

    def _call(
        self,
        method: str,
        path: str,
        model: type[M],
        *,
        query: Query | None = None,
        json: object | None = None,
        within: float = WITHIN,
    ) -> M:
        with self._failures(within):
            reply = self._http.request(
                method, path, params=query, json=json, timeout=httpx.Timeout(WITHIN, read=within)
            )
        return self._read(reply, model)

    @contextmanager
    def _failures(self, within: float) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            text = f"The coordinator at {self.url} did not answer within {within:g} s."
            raise Unreachable(text, next_action="see its log, then try again") from error
        except httpx.TransportError as error:
            text = f"The coordinator does not answer at {self.url} ({_reason(error)})."
            start = "start it: noonday serve --config coordinator.toml; or name another: --url URL or NOONDAY_URL"
            raise Unreachable(text, next_action=start) from error

    def _read(self, reply: httpx.Response, model: type[M]) -> M:
        if not reply.is_success:
            raise self._problem(reply)
        try:
            return model.model_validate_json(reply.content)
        except ValidationError as error:
            raise self._stranger("answers, but not as a Noonday coordinator of this version") from error

    def _problem(self, reply: httpx.Response) -> NoondayError:
        status = reply.status_code
        try:
            problem = Problem.model_validate_json(reply.content)
        except ValidationError:
            if status in (502, 503, 504):
                return Unreachable(f"{self.url} answers {status}: no coordinator behind it.", next_action="start it")
            return self._stranger(f"answers {status}, which is nothing a Noonday coordinator says")
        kind = BadInput if status < 500 else Temporary
        return kind(problem.text, rule=problem.rule, next_action=self._next(status, problem))

    def _next(self, status: int, problem: Problem) -> str:
        if status == 401 and not self._has_token:
            return f"no token was given: set NOONDAY_TOKEN, pass --token-file FILE, or put it into {TOKEN_FILE}"
        return problem.next_action

    def _stranger(self, words: str) -> Permanent:
        text = f"{self.url} {words}."
        return Permanent(text, rule="not-a-coordinator", next_action="check --url and NOONDAY_URL, and both versions")


def part(name: str) -> str:
    """One name as one part of a path, whatever is in it."""
    return quote(name, safe="")


def find_token(file: Path | None, environment: Mapping[str, str]) -> str:
    """The token from `file`, else NOONDAY_TOKEN, else the user's own file; empty when there is none."""
    if file is not None:
        return _token(_text(file), str(file))
    if environment.get("NOONDAY_TOKEN"):
        return _token(environment["NOONDAY_TOKEN"], "NOONDAY_TOKEN")
    own = TOKEN_FILE.expanduser()
    return _token(_text(own), str(own)) if own.is_file() else ""


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The token file {file} can't be read.", next_action=f"check {file} and its owner") from error


def _token(text: str, where: str) -> str:
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise BadInput(f"{where} holds no token.", rule="wrong-token", next_action="copy the token again, on one line")
    return token


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _no_url(url) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise _no_url(url)
    return url.rstrip("/")


def _no_url(url: str) -> BadInput:
    text = f"{url[:200]!r} is not the URL of a coordinator."
    return BadInput(text, rule="bad-url", next_action=f"give one such as {DEFAULT_URL} to --url or NOONDAY_URL")


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls(url: str) -> ssl.SSLContext | bool:
    # Reading all public CAs takes 50 ms of a command's time; a context without any is enough where no TLS is spoken.
    plain = url.startswith("http://") and _is_loopback(url)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True


def _reason(error: httpx.TransportError) -> str:
    cause = error.__cause__ or error.__context__
    number = next((e.errno for e in _causes(error) if isinstance(e, OSError) and e.errno), None)
    return os.strerror(number).lower() if number and number > 0 else str(error or cause) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _pieces(manifest: bytes, archive: Path) -> Iterator[bytes]:
    yield manifest
    with archive.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece
