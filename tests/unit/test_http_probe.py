from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from noonday_agent.probes.http import LARGEST_BODY, HttpProbe
from support.ports import free_port

Serve = Callable[..., HttpProbe]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(*pieces, pause=0)`: a probe of a server that sends each piece, `pause` seconds apart, to one client."""
    stop = threading.Event()
    closing: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(*pieces: bytes, pause: float = 0.0) -> HttpProbe:
        listener = socket.create_server(("127.0.0.1", 0))
        closing.append(listener)

        def answer() -> None:
            with suppress(OSError):
                client, _ = listener.accept()
                with client:
                    client.recv(65536)
                    for piece in pieces:
                        client.sendall(piece)
                        if stop.wait(pause):
                            return

        threads.append(threading.Thread(target=answer))
        threads[-1].start()
        return HttpProbe(f"http://127.0.0.1:{listener.getsockname()[1]}")

    yield start
    stop.set()
    for listener in closing:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


def _whole(status: str, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("status", "ok"),
    [("200 OK", True), ("204 No Content", True), ("302 Found", False), ("404 Not Found", False), ("503 Busy", False)],
)
def test_only_a_2xx_is_well(serve: Serve, status: str, ok: bool) -> None:
    result = serve(_whole(status)).health("/health", 5)
    assert (result.ok, result.status) == (ok, int(status[:3]))
    assert status in result.text


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    other = serve(_whole("200 OK"))
    where = other.base_url.encode()
    assert serve(_whole("301 Moved", b"", b"Location: " + where)).health("/", 5).status == 301


def test_nothing_that_listens_is_a_sentence() -> None:
    result = HttpProbe(f"http://127.0.0.1:{free_port()}").health("/", 2)
    assert (result.ok, result.status) == (False, None)
    assert result.text.endswith("nothing listens there.")


def test_a_body_that_trickles_ends_at_the_deadline(serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    result = serve(head, *[b"x"] * 1000, pause=0.05).health("/", 0.4)
    assert not result.ok
    assert "no whole answer within 0.4 s" in result.text
    assert result.seconds < 5


def test_headers_that_trickle_end_at_the_deadline(serve: Serve) -> None:
    result = serve(b"HTTP/1.1 200 OK\r\n", *[b"X-More: yes\r\n"] * 90, pause=0.05).health("/", 0.4)
    assert not result.ok
    assert "no whole answer within 0.4 s" in result.text


def test_an_app_that_says_nothing_ends_at_the_deadline(serve: Serve) -> None:
    result = serve(b"", pause=60).health("/", 0.2)
    assert "no whole answer within 0.2 s" in result.text


def test_garbage_and_a_bad_address_are_sentences(serve: Serve) -> None:
    assert not serve(b"SSH-2.0-OpenSSH_9\r\n").health("/", 5).ok
    assert not serve(b"").health("/", 5).ok
    for url in ("http://127.0.0.1:notaport", "http://", "http://127.0.0.1:99999", "ftp://x"):
        assert HttpProbe(url).health("/", 1).text
    assert not HttpProbe("http://127.0.0.1:1").health("/with space", 1).ok


def test_a_certificate_that_nobody_trusts_is_not_well(serve: Serve) -> None:
    plain = serve(b"this is no TLS")
    result = HttpProbe(plain.base_url.replace("http:", "https:")).health("/", 5)
    assert not result.ok


def test_no_more_than_the_bound_is_read(serve: Serve) -> None:
    body = b"x" * (4 * LARGEST_BODY)
    assert serve(_whole("200 OK", body)).health("/", 10).ok


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b"1.1.0\n", "1.1.0"),
        (b'{"version": "1.1.0", "other": 1}', "1.1.0"),
        (b' {"version": " 2.0-rc.1 "} ', "2.0-rc.1"),
        (b'{"version": 3}', None),
        (b'{"name": "web"}', None),
        (b'{"version": ', None),
        (b"<html><body>Welcome</body></html>", None),
        (b"1.1.0 and more", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_a_version_is_plain_text_or_a_key_in_json(serve: Serve, body: bytes, version: str | None) -> None:
    answer = serve(_whole("200 OK", body)).version("/version", 5)
    assert answer.version == version
    assert "/version" in answer.text


def test_an_error_page_is_no_version(serve: Serve) -> None:
    answer = serve(_whole("404 Not Found", b"1.1.0")).version("/version", 5)
    assert answer.version is None
    assert "404" in answer.text
