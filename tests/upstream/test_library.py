"""The HTTP library's transports in the place of ours, and ours in the place of the library's."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import BinaryIO, cast

import httpx2
import pytest

from app.tenants.destinations import Destinations
from app.upstream.client import Timeouts, UpstreamClient
from app.upstream.envelope import WireRequest
from app.upstream.multipart import StoredFile, stream_multipart
from app.upstream.transport import GuardedTransport, TransportForLibrary
from app.upstream.wire import MaybeSent
from tests.support.library import LibraryTransport
from tests.support.servers import Behaviour, read_request, serving, unused_port

PATIENT = Timeouts(connect=10, total=10)


class Breaking(httpx2.AsyncByteStream):
    """A body that breaks off."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"<a>"
        raise httpx2.ReadError("the URL is secret")


def client_of(answer: httpx2.Response) -> UpstreamClient:
    async def reply(request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return answer

    return UpstreamClient(LibraryTransport(httpx2.MockTransport(reply)), max_reply_bytes=1000)


class TestTheirs:
    async def test_a_body_that_breaks_off(self) -> None:
        client = client_of(httpx2.Response(200, stream=Breaking()))
        with pytest.raises(MaybeSent, match="while waiting for the reply") as caught:
            await client.send(WireRequest("GET", "http://platform/", {}), PATIENT)
        assert caught.value.__context__ is None

    async def test_an_upload_that_cannot_be_read(self) -> None:
        file = io.BytesIO(b"x")
        stored = StoredFile("file", "a.txt", "text/plain", cast("BinaryIO", file), 1)
        file.close()
        _, upload = stream_multipart({}, stored)
        client = client_of(httpx2.Response(200))
        with pytest.raises(MaybeSent, match="the file to upload could not be read"):
            await client.send(WireRequest("POST", "http://platform/", {}, upload=upload), PATIENT)


async def ask(base: str) -> httpx2.Response:
    transport = TransportForLibrary(GuardedTransport(Destinations(), connections=1), connect=5.0)
    async with httpx2.AsyncClient(transport=transport) as client:
        return await client.post(base, content=b"abc", headers={"X-Test": "1"})


def answering(raw: bytes, seen: list[bytes] | None = None) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if seen is not None:
            seen.append(request)
        writer.write(raw)
        await writer.drain()

    return behave


class TestOurs:
    async def test_carry_requests_and_replies(self) -> None:
        seen: list[bytes] = []
        raw = b"HTTP/1.1 203 OK\r\nX-Answer: 2\r\nContent-Length: 3\r\n\r\nxyz"
        async with serving(answering(raw, seen)) as base:
            response = await ask(base)
        assert (response.status_code, response.headers["x-answer"], response.content) == (203, "2", b"xyz")
        assert seen[0].startswith(b"POST /mm-ms/apinew/ HTTP/1.1\r\n")
        assert b"x-test: 1\r\n" in seen[0].lower()
        assert seen[0].endswith(b"\r\n\r\nabc")

    async def test_nobody_there(self) -> None:
        with pytest.raises(httpx2.ConnectError):
            await ask(f"http://127.0.0.1:{unused_port()}/")

    @pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxyz"])
    async def test_what_breaks(self, raw: bytes) -> None:
        async with serving(answering(raw)) as base:
            with pytest.raises(httpx2.ReadError):
                await ask(base)
