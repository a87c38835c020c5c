"""What clients may not do to a connection: over real sockets, with waits as short as a test wants them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from starlette.types import Receive, Scope, Send

from app.api.protocol import BoundedProtocol, ConnectionBounds
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import make_app
from tests.support.sockets import served
from tests.support.tenants import KEY, make_tenant

PATIENT = ConnectionBounds(head_bytes=16_384, head_seconds=60, stall_seconds=60)
HASTY = ConnectionBounds(head_bytes=16_384, head_seconds=0.1, stall_seconds=0.1)
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(20):
            yield reader, writer
    finally:
        writer.transport.abort()


@asynccontextmanager
async def gateway(bounds: ConnectionBounds) -> AsyncIterator[int]:
    platform = FakePlatform([xml_reply("<maillist/>")])
    app = make_app([make_tenant()], platform.transport)
    async with served(app, partial(BoundedProtocol, bounds=bounds)) as port:
        yield port


def request(path: str = "/v1/lists", *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", f"X-API-Key: {KEY}", *headers, "", ""]).encode()


async def refused(connection: Connection, sent: bytes) -> tuple[int, str]:
    """Send, and return the status and the code of the problem that ends the connection."""
    reader, writer = connection
    writer.write(sent)
    answer = await reader.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"connection: close" in lines
    assert b"content-type: application/problem+json" in lines
    assert b"x-content-type-options: nosniff" in lines
    document = json.loads(body)
    assert f"x-request-id: {document['request_id']}".encode() in lines
    return int(head.split()[1]), document["code"]


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Read to the end, be it in good order or not."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drop: bytes) -> bytes:
    """Send a little again and again until the server has had enough; return what it said."""
    ended = asyncio.create_task(rest(reader))
    while not ended.done():
        writer.write(drop)
        await asyncio.wait([ended], timeout=0.02)
    return ended.result()


class TestSizes:
    @pytest.mark.parametrize(
        ("sent", "expected"),
        [
            (request("/" + "a" * 9000), (414, "url_too_long")),
            (b"GET /" + b"a" * 20_000, (414, "url_too_long")),
            (request("/v1/lists", "A: " + "x" * 17_000), (431, "headers_too_large")),
            (request("/v1/lists", *(f"A-{n}: {'x' * 190}" for n in range(98))), (431, "headers_too_large")),
            (b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000, (431, "headers_too_large")),
            (b"GET / HTTP/1.1\r\n" + b"x" * 20_000, (431, "headers_too_large")),
            (request("/v1/lists", *(f"A-{n}: x" for n in range(99))), (431, "headers_too_large")),
            (b"not http at all\r\n\r\n", (400, "malformed_request")),
        ],
        ids=["url", "endless url", "value", "all together", "endless value", "endless name", "number", "nonsense"],
    )
    async def test_heads_are_bounded(self, sent: bytes, expected: tuple[int, str]) -> None:
        async with gateway(PATIENT) as port, connected(port) as connection:
            assert await refused(connection, sent) == expected

    async def test_within_the_bounds(self) -> None:
        headers = [f"A-{number}: {'x' * 90}" for number in range(97)]
        async with gateway(PATIENT) as port, connected(port) as (reader, writer):
            for _ in range(2):
                writer.write(request("/v1/lists", *headers))
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                await reader.readexactly(len(b'{"data":[]}'))

    async def test_a_body_is_no_head(self) -> None:
        body = b" " * 40_000
        sent = request("/v1/lists", f"Content-Length: {len(body)}", "Content-Type: application/json", method="POST")
        async with gateway(PATIENT) as port, connected(port) as (reader, writer):
            writer.write(sent + body + request())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 400")
            await reader.readuntil(b"HTTP/1.1 200")

    async def test_a_second_head_is_bounded_too(self) -> None:
        async with gateway(PATIENT) as port, connected(port) as (reader, writer):
            writer.write(request())
            await reader.readuntil(b'{"data":[]}')
            assert await refused((reader, writer), request("/v1/lists", "A: " + "x" * 17_000)) == (
                431,
                "headers_too_large",
            )


class TestSlowHeads:
    @pytest.mark.parametrize("sent", [b"", b"\r\n", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", request()[:-2]])
    async def test_a_head_that_does_not_end(self, sent: bytes) -> None:
        async with gateway(HASTY) as port, connected(port) as (reader, writer):
            writer.write(sent)
            assert await rest(reader) == b""

    async def test_dripping_does_not_help(self) -> None:
        async with gateway(HASTY) as port, connected(port) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nA: ")
            assert await dripping(reader, writer, b"x") == b""

    async def test_nor_does_it_on_a_second_request(self) -> None:
        async with gateway(HASTY) as port, connected(port) as (reader, writer):
            writer.write(request())
            await reader.readuntil(b'{"data":[]}')
            assert await dripping(reader, writer, b"\r\n") == b""

    async def test_the_rest_of_a_body_that_nobody_wants(self) -> None:
        """The answer was given without it: the connection is not held for it."""
        async with gateway(HASTY) as port, connected(port) as (reader, writer):
            writer.write(b"POST /v1/lists HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\nContent-Length: 1000\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")
            await dripping(reader, writer, b"x")


class Endless:
    """An application whose answers do not end; tells when its client is gone."""

    def __init__(self, size: int | None) -> None:
        self.gone = asyncio.Event()
        self._size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        length = [] if self._size is None else [(b"content-length", str(self._size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        if self._size is not None:
            await send({"type": "http.response.body", "body": b"x" * self._size})
        sending = asyncio.create_task(self._endlessly(send)) if self._size is None else None
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()
        if sending is not None:
            sending.cancel()

    async def _endlessly(self, send: Send) -> None:
        while True:
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    app = Endless(None)
    async with (
        served_raw(app, HASTY) as port,
        connected(port) as (_, writer),
    ):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, too
        writer.write(request())
        await app.gone.wait()


async def test_a_client_that_reads_is_not() -> None:
    app = Endless(None)
    async with served_raw(app, ConnectionBounds(16_384, 5, 5)) as port, connected(port) as (reader, writer):
        writer.write(request())
        await reader.readexactly(20 * 1024 * 1024)
        assert not app.gone.is_set()


@asynccontextmanager
async def served_raw(app: Endless, bounds: ConnectionBounds) -> AsyncIterator[int]:
    protocol = partial(BoundedProtocol, bounds=bounds)
    async with served(app, protocol, lifespan="off") as port:
        yield port


async def test_an_answer_that_is_left_unread_and_closed() -> None:
    """The answer is whole for the application and stays in the server's memory until its client is given up."""
    lost = asyncio.Event()

    class Watched(BoundedProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    size = 8 * 1024 * 1024
    async with (
        served(Endless(size), partial(Watched, bounds=HASTY), lifespan="off") as port,
        connected(port) as (_, writer),
    ):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, too
        writer.write(request("/", "Connection: close"))
        await lost.wait()
