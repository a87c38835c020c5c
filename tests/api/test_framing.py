"""Heads, chunks, trailers and upgrades over a real socket: what RFC 9112 refuses, what is dropped, what is ignored."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from starlette.types import Receive, Scope, Send

from app.api.protocol import BoundedProtocol, ConnectionBounds
from tests.support.sockets import served

BOUNDS = ConnectionBounds(head_bytes=16_384, head_seconds=60, stall_seconds=60)
CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the headers' names and the body."""
    assert scope["type"] == "http"
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    names = sorted(name.decode() for name, _ in scope["headers"])
    answer = json.dumps({"headers": names, "body": body.decode(), "method": scope["method"]}).encode()
    head = [(b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": answer})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with served(echo, partial(BoundedProtocol, bounds=BOUNDS), lifespan="off", access_log=False) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(20):
                yield reader, writer
        finally:
            writer.transport.abort()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, object]]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(head.split()[1]), json.loads(await reader.readexactly(int(length.partition(b":")[2])))


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + "0x3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + "3\r\nabcd\r\n0\r\n\r\n",
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused(head: str) -> None:
    async with connected() as (reader, writer):
        writer.write(head.encode())
        status, problem = await answer(reader)
        assert (status, problem["code"]) == (400, "malformed_request")
        assert await reader.read() == b""


async def test_trailers_are_dropped() -> None:
    async with connected() as (reader, writer):
        writer.write((CHUNKED + "3;name=value\r\nabc\r\n0\r\nX-Forwarded-For: 10.0.0.1\r\nHost: y\r\n\r\n").encode())
        status, seen = await answer(reader)
        assert (status, seen["headers"], seen["body"]) == (200, ["host", "transfer-encoding"], "abc")


@pytest.mark.parametrize(
    "endless",
    ["0\r\n" + "A: b\r\n" * 1000, "0\r\nA: " + "x" * 40_000, "3;" + "x" * 40_000, "0\r\n" + "x" * 40_000],
    ids=["many trailers", "endless value", "endless extension", "endless name"],
)
async def test_what_stands_around_a_body_is_bounded(endless: str) -> None:
    async with connected() as (reader, writer):
        writer.write(CHUNKED.encode())
        try:
            for start in range(0, len(endless), 4096):
                writer.write(endless[start : start + 4096].encode())
                await asyncio.sleep(0)
            status, problem = await answer(reader)
        except ConnectionError:
            # The server has closed before it had read what was still coming.
            return
        assert (status, problem["code"]) == (431, "headers_too_large")


async def test_small_chunks_are_no_overhead() -> None:
    async with connected() as (reader, writer):
        writer.write(CHUNKED.encode())
        for _ in range(40):
            writer.write(b"1\r\nx\r\n" * 1000)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        status, seen = await answer(reader)
        assert (status, seen["body"]) == (200, "x" * 40_000)


async def test_a_broken_second_request_is_not_answered_in_place_of_the_first() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")
        try:
            found = await reader.read()
        except ConnectionError:
            found = b""
        assert b" 400 " not in found.split(b"\r\n")[0]


UPGRADES = ["h2c", "websocket", "TLS/1.0", "h2c, websocket"]


def asking(upgrade: str, *headers: str, method: str = "POST") -> str:
    lines = [f"{method} / HTTP/1.1", "Host: x", "Connection: Upgrade, HTTP2-Settings", f"Upgrade: {upgrade}", *headers]
    return "\r\n".join([*lines, "", ""])


@pytest.mark.parametrize("pieces", ["together", "apart", "byte by byte"])
@pytest.mark.parametrize("upgrade", UPGRADES)
async def test_upgrades_are_ignored(upgrade: str, pieces: str) -> None:
    head, body = asking(upgrade, "Content-Length: 12"), '{"name":"R"}'
    chunks = asking(upgrade, "Transfer-Encoding: chunked"), "3\r\nabc\r\n0\r\n\r\n"
    async with connected() as (reader, writer):
        for sent, expected in (((head, body), body), (chunks, "abc"), ((asking(upgrade, method="GET"), ""), "")):
            whole = "".join(sent)
            parts = {"together": [whole], "apart": list(sent), "byte by byte": list(whole)}[pieces]
            for part in parts:
                writer.write(part.encode())
                await asyncio.sleep(0)
            status, seen = await answer(reader)
            assert (status, seen["body"]) == (200, expected)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await answer(reader))[0] == 200


async def test_an_upgrade_and_the_next_request_come_together() -> None:
    async with connected() as (reader, writer):
        writer.write((asking("h2c", "Content-Length: 3") + "abcGET / HTTP/1.1\r\nHost: x\r\n\r\n").encode())
        assert (await answer(reader))[1]["body"] == "abc"
        assert (await answer(reader))[1]["method"] == "GET"
