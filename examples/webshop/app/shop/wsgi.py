"""The shop as a WSGI application."""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from . import pages, texts

VERSION: str = tomllib.loads((Path(__file__).parents[1] / "release.toml").read_text())["version"]
SERVER = os.environ.get("SHOP_SERVER", "")

_HTML = "text/html; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
_PAGES: dict[str, tuple[str, Callable[[], str]]] = {
    "/": (_HTML, pages.front),
    "/cart": (_HTML, pages.cart),
    "/checkout": (_HTML, pages.checkout),
    "/slow": (_HTML, pages.report),
    "/healthz": (_TEXT, lambda: "ok\n"),
    "/version": (_TEXT, lambda: f"{VERSION}\n"),
}


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    kind, page = _PAGES.get(environ.get("PATH_INFO", "/"), (_TEXT, None))
    body = (page() if page else "no such page\n").encode()
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("X-Server", SERVER),
        ("X-Release", VERSION),
    ]
    start_response("200 OK" if page else "404 Not Found", headers)
    return [body]


def _log_to(folder: str) -> None:
    logging.basicConfig(
        filename=f"{folder}/shop.log",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s",
    )


if "SHOP_LOG" in os.environ:
    _log_to(os.environ["SHOP_LOG"])
    logging.getLogger("shop").info(texts.STARTED, VERSION, os.environ.get("SHOP_LISTEN", ""))
