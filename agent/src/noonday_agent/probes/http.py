"""Ask the app itself by HTTP: is it well, and which version is it."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from noonday_agent.cutoff import Cutoff
from noonday_agent.probes.proof import VersionAnswer
from noonday_shared.names import VERSION

LARGEST_BODY = 64 << 10

_HEADERS = {"User-Agent": "noonday-agent", "Accept": "*/*", "Connection": "close"}


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`status`: None when no answer came. `seconds`: for the whole request. `text`: a sentence for people."""

    ok: bool
    status: int | None
    seconds: float
    text: str


class HttpProbe:
    """One app. Follows no redirect, reads at most `LARGEST_BODY` bytes where no other number is given, keeps no
    connection. Any thread may call."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")

    def health(self, path: str, timeout: float) -> ProbeResult:
        """Well means a status of 200 to 299 within `timeout` seconds, body included. Never raises."""
        return self._get(path, timeout).result

    def version(self, path: str, timeout: float) -> VersionAnswer:
        """The version in a plain text body, or under `version` in a JSON object. Never raises."""
        answer = self._get(path, timeout)
        if not answer.result.ok:
            return VersionAnswer(None, f"No version is to be had: {answer.result.text}")
        found = _version_in(answer.body)
        if found is None:
            start = " ".join(answer.body[:60].decode(errors="replace").split())
            return VersionAnswer(None, f"GET {self.base_url}{path} answers no version but {start!r}.")
        return VersionAnswer(found, f"GET {self.base_url}{path} answers {found}.")

    def fetch(self, path: str, timeout: float, most: int) -> tuple[ProbeResult, bytes]:
        """The answer's result and at most `most` bytes of its body. Never raises."""
        answer = self._get(path, timeout, most)
        return answer.result, answer.body

    def _get(self, path: str, timeout: float, most: int = LARGEST_BODY) -> _Answer:
        url = f"{self.base_url}{path}"
        started = time.monotonic()
        exchange = _Exchange(self.base_url, path, timeout, most)
        try:
            status, reason, body = exchange.run()
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = _why(error, timed_out=exchange.timed_out or isinstance(error, TimeoutError), timeout=timeout)
            return _Answer(ProbeResult(False, None, time.monotonic() - started, f"GET {url}: {why}."))
        spent = time.monotonic() - started
        if exchange.timed_out:
            return _Answer(ProbeResult(False, status, spent, f"GET {url}: {_late(timeout)} (status {status})."))
        text = f"GET {url}: {status} {reason}".rstrip() + f" in {spent:.3f} s."
        return _Answer(ProbeResult(200 <= status < 300, status, spent, text), body)


@dataclass(frozen=True, slots=True)
class _Answer:
    result: ProbeResult
    body: bytes = b""


class _Exchange:
    """One request with one deadline over all of it: an app that trickles would hold us for ever."""

    def __init__(self, base_url: str, path: str, timeout: float, most: int) -> None:
        self.timed_out = False
        self._most = most
        self._base_url = base_url
        self._path = path
        self._deadline = time.monotonic() + timeout
        self._timeout = timeout

    def run(self) -> tuple[int, str, bytes]:
        with Cutoff(lambda: self._deadline - time.monotonic()) as cutoff:
            connection = cutoff.under(self._connection())
            try:
                connection.request("GET", self._path, headers=_HEADERS)
                response = connection.getresponse()
                return response.status, response.reason, response.read(self._most)
            finally:
                self.timed_out = cutoff.made
                connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._base_url)
        if parts.scheme == "https":
            return http.client.HTTPSConnection(
                parts.netloc, timeout=self._timeout, context=ssl.create_default_context()
            )
        return http.client.HTTPConnection(parts.netloc, timeout=self._timeout)


def _version_in(body: bytes) -> str | None:
    text = body.decode(errors="replace").strip()
    if text.startswith("{"):
        try:
            found = json.loads(text).get("version")
        except (ValueError, RecursionError):
            return None
        text = found.strip() if isinstance(found, str) else ""
    return text if len(text) <= 64 and re.fullmatch(VERSION, text) else None


def _why(error: Exception, *, timed_out: bool, timeout: float) -> str:
    if timed_out:
        return _late(timeout)
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return str(error) or type(error).__name__


def _late(timeout: float) -> str:
    return f"no whole answer within {timeout:g} s"
