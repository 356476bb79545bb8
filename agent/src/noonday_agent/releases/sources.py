"""Where releases come from, opened at any byte: https://, http://, file:// or a path. No other scheme."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib import error as url_errors
from urllib import request as urls
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from noonday_agent.cutoff import Cutoff
from noonday_shared.errors import BadInput, NoondayError, Permanent, Temporary

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Reader(Protocol):
    def read1(self, size: int, /) -> bytes:
        """What is there, at most `size` bytes; empty at the end. Waits for at most the timeout."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Opened:
    reader: Reader
    start: int
    """The byte that comes first: the one asked for, or 0 when the source can't begin in the middle."""


def open_source(source: str, *, start: int, timeout: float, cutoff: Cutoff) -> Opened:
    """`timeout`: seconds of silence; `cutoff` ends it before.

    Raises `Temporary`, `Permanent`, or `BadInput` (rule `release-not-found`).
    """
    scheme = _split(source).scheme
    if scheme in ("http", "https"):
        return _open_http(source, start, timeout, cutoff)
    if scheme == "file" or source.startswith("/"):
        return _open_path(Path(unquote(_split(source).path)) if scheme else Path(source), start)
    raise _unusable(source)


def shown(source: str) -> str:
    """The source for a person: without a password or a query, which may hold secrets."""
    try:
        parts = urlsplit(source)
    except ValueError:
        return "the release's source"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))[:500]


def _split(source: str) -> SplitResult:
    try:
        return urlsplit(source)
    except ValueError as error:
        raise _unusable(source) from error


def _open_path(path: Path, start: int) -> Opened:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise _not_found(str(path)) from error
    except (PermissionError, IsADirectoryError, NotADirectoryError) as error:
        text = f"{path} can't be read: {error.strerror}."
        raise Permanent(text, rule="source-refused", next_action=f"check {path}") from error
    except OSError as error:
        raise unreachable(str(path), error) from error
    file.seek(start)
    return Opened(file, start)


def _open_http(source: str, start: int, timeout: float, cutoff: Cutoff) -> Opened:
    headers = {"User-Agent": "noonday-agent", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        asked = urls.Request(source, headers=headers)  # noqa: S310 (scheme checked)
        response = _opener(cutoff).open(asked, timeout=timeout)
    except url_errors.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return _open_http(source, 0, timeout, cutoff)
        raise _by_status(source, error.code) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise _unusable(source) from error
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(source, error) from error
    if response.status != http.client.PARTIAL_CONTENT:
        return Opened(response, 0)
    if _first_byte(response.headers.get("Content-Range", "")) == start:
        return Opened(response, start)
    response.close()
    if not start:
        raise Temporary(f"{shown(source)} sends another piece than was asked for.", rule="source-unreachable")
    return _open_http(source, 0, timeout, cutoff)


def unreachable(source: str, error: Exception) -> Temporary:
    reason = getattr(error, "reason", error) or type(error).__name__
    return Temporary(
        f"{shown(source)} can't be fetched: {reason}.",
        rule="source-unreachable",
        next_action="check that this host reaches it: curl -I",
    )


def nobody_answers(error: Temporary) -> bool:
    """Whether not even a connection could be made."""
    cause = error.__cause__
    return isinstance(cause, url_errors.URLError) and not isinstance(cause, url_errors.HTTPError)


def _by_status(source: str, status: int) -> NoondayError:
    if status in (404, 410):
        return _not_found(shown(source))
    text = f"{shown(source)} answers {status} {http.client.responses.get(status, '')}".rstrip() + "."
    if status in _AGAIN:
        return Temporary(text, rule="source-unreachable", next_action="look at the server's log")
    return Permanent(text, rule="source-refused", next_action="check the source and who may read it")


def _unusable(source: str) -> BadInput:
    return BadInput(
        f"{shown(source)!r} is no source that a release may come from.",
        rule="unusable-source",
        next_action="use https://, http://, file:// or a whole path",
    )


def _not_found(where: str) -> BadInput:
    return BadInput(
        f"There is no release at {where}.",
        rule="release-not-found",
        next_action="push it: noonday release push; what there is: noonday release list",
    )


def _first_byte(content_range: str) -> int | None:
    match = re.match(r"bytes (\d+)-", content_range)
    return int(match.group(1)) if match else None


class _Watched(urls.AbstractHTTPHandler):
    def __init__(self, cutoff: Cutoff) -> None:
        super().__init__()
        self._cutoff = cutoff

    def do_open(self, http_class: Any, req: urls.Request, **http_conn_args: Any) -> http.client.HTTPResponse:
        def made(*args: Any, **options: Any) -> http.client.HTTPConnection:
            connection: http.client.HTTPConnection = http_class(*args, **options)
            return self._cutoff.under(connection)

        return super().do_open(made, req, **http_conn_args)


class _Http(_Watched, urls.HTTPHandler):
    pass


class _Https(_Watched, urls.HTTPSHandler):
    pass


def _opener(cutoff: Cutoff) -> urls.OpenerDirector:
    opener = urls.OpenerDirector()
    for handler in (
        urls.ProxyHandler(),
        _Http(cutoff),
        _Https(cutoff),
        urls.HTTPDefaultErrorHandler(),
        urls.HTTPRedirectHandler(),
        urls.HTTPErrorProcessor(),
        urls.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
