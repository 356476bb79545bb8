"""The demo's customers, against a server that answers as it is told."""

from __future__ import annotations

import asyncio

from examples.webshop.load import Customers
from examples.webshop.tally import Sample

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Server: web-1\r\nX-Release: 1.0.0\r\n\r\nok"


def visit(answer: bytes, *, seconds: float = 0.4, hang_up: bool = False) -> tuple[list[Sample], int]:
    """The samples of a short run, and how many connections it took."""
    samples: list[Sample] = []
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                writer.write(answer)
                await writer.drain()
                if hang_up:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the customer left
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            customers = Customers("127.0.0.1", server.sockets[0].getsockname()[1], rate=100.0, note=samples.append)
            await customers.run(connections=2, seconds=seconds)

    asyncio.run(run())
    return samples, opened


def test_good_answers_are_counted_over_connections_that_are_kept() -> None:
    samples, opened = visit(GOOD)
    assert samples
    assert not [sample for sample in samples if sample.failed]
    assert {(sample.server, sample.release) for sample in samples} == {("web-1", "1.0.0")}
    assert opened == 2


def test_no_more_requests_are_made_than_the_rate_allows() -> None:
    assert len(visit(GOOD)[0]) <= 41


def test_an_error_status_is_a_failed_request() -> None:
    samples, _ = visit(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    assert samples
    assert all(sample.failed and sample.status == 503 for sample in samples)


def test_a_body_that_ends_too_soon_is_a_failed_request() -> None:
    samples, _ = visit(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", hang_up=True)
    assert samples
    assert all(sample.failed and "IncompleteReadError" in sample.error for sample in samples)


def test_an_answer_that_is_no_http_is_a_failed_request() -> None:
    samples, _ = visit(b"what?\r\n\r\n")
    assert samples
    assert all(sample.failed for sample in samples)


def test_a_server_that_says_close_is_left_and_visited_again() -> None:
    samples, opened = visit(GOOD.replace(b"X-Server", b"Connection: close\r\nX-Server"))
    assert not [sample for sample in samples if sample.failed]
    assert opened == len(samples)


def test_a_closed_port_is_a_failed_request_and_not_the_end() -> None:
    samples: list[Sample] = []
    customers = Customers("127.0.0.1", 1, rate=100.0, note=samples.append)
    asyncio.run(customers.run(connections=1, seconds=0.2))
    assert len(samples) > 1
    assert all(sample.failed and "ConnectionRefusedError" in sample.error for sample in samples)
