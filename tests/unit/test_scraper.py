"""The app's own numbers are asked for seldom, and their absence harms nothing."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from noonday_agent.config import Metrics
from noonday_agent.evidence.scraper import EVERY, LARGEST, Scraper
from support.fake_clock import FakeClock


class App:
    def __init__(self) -> None:
        self.body = b""
        self.asked = 0
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                app.asked += 1
                self.send_response(200 if self.path == "/metrics" else 404)
                self.send_header("Content-Length", str(len(app.body)))
                self.end_headers()
                self.wfile.write(app.body)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def app() -> Iterator[App]:
    made = App()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_series_are_taken_at_most_every_few_seconds(app: App) -> None:
    clock = FakeClock()
    scraper = Scraper(Metrics(series=("queue_depth",)), app.url, clock)
    app.body = b"queue_depth 17\nother 1\n"
    scraper.look()
    app.body = b"queue_depth 18\n"
    scraper.look()
    assert (scraper.gauges, app.asked) == ({"queue_depth": 17.0}, 1)
    clock.move(EVERY)
    scraper.look()
    assert (scraper.gauges, app.asked) == ({"queue_depth": 18.0}, 2)


def test_an_app_that_does_not_answer_tells_nothing_old(app: App) -> None:
    clock = FakeClock()
    scraper = Scraper(Metrics(series=("a",), url=app.url), "http://127.0.0.1:1", clock)
    app.body = b"a 1\n"
    scraper.look()
    assert scraper.gauges == {"a": 1.0}
    app.body = b"a 1\n" * (LARGEST // 4 + 1)
    clock.move(EVERY)
    scraper.look()
    assert scraper.gauges == {}


def test_another_status_is_no_page_of_metrics(app: App) -> None:
    app.body = b"a 1\n"
    scraper = Scraper(Metrics(series=("a",), path="/nothing"), app.url, FakeClock())
    scraper.look()
    assert scraper.gauges == {}
