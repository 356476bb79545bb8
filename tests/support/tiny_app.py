"""The web app of the test fleet's releases: one file without imports of ours, up in a tenth of a second.

Its release carries it as `app.py`, its version in `version`, and how it behaves in `mode` (`support.fleet_release`).
It answers `/healthz`, `/version`, `/slow` (after a second), `/log?LEVEL+words` (writes that to its log), and its
version everywhere else.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_plus

HERE = Path(__file__).resolve().parent
MODE, _, ARGUMENT = (HERE / "mode").read_text().strip().partition(" ") if (HERE / "mode").exists() else ("", "", "")
VERSION = (HERE / "version").read_text() if (HERE / "version").exists() else ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/healthz":
            self.answer(503 if MODE == "sick" or VERSION in whims() else 200, "health")
        elif path == "/version":
            self.answer(200, ARGUMENT if MODE == "claims" else VERSION)
        elif path == "/log":
            level, _, words = unquote_plus(query).partition(" ")
            note(level, words)
            self.answer(200, "noted")
        else:
            if path == "/slow":
                time.sleep(1.0)
            if MODE == "errors":
                note("ERROR", f"{ARGUMENT or 'no price rule for item'} {time.time_ns() % 97}")
            self.answer(200, VERSION)

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Requests are not logged."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def whims() -> list[str]:
    """How it is to behave on this host: see `HostedApp.behave` in support.fleet_host."""
    file = Path(os.environ["TINY_WHIMS"])
    return file.read_text().split() if file.exists() else []


def note(level: str, words: str) -> None:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime())
    with Path(os.environ["TINY_LOG"]).open("a") as log:
        log.write(f"{stamp},000 {level} tiny: {words}\n")


def stop(server: Server) -> None:
    if "lingers" in whims():
        time.sleep(60)
    server.shutdown()


def main() -> None:
    with Path(os.environ["TINY_STARTS"]).open("a") as starts:
        starts.write(f"{VERSION}\n")
    if MODE == "slow":
        time.sleep(float(ARGUMENT))
    while "deaf" in whims():
        time.sleep(0.05)
    host, _, port = os.environ["TINY_LISTEN"].partition(":")
    server = Server((host, int(port)), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop, args=[server]).start())
    if MODE == "dies":
        timer = threading.Timer(float(ARGUMENT), os._exit, (1,))
        timer.daemon = True
        timer.start()
    note("INFO", f"{VERSION} is up")
    server.serve_forever(0.05)


if __name__ == "__main__":
    main()
