"""Uploads: bodies that are read from a file while they are sent, and what their failures mean."""

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.tenants.destinations import Destinations
from app.tenants.models import UpstreamAccount
from app.upstream.client import Timeouts, UpstreamClient
from app.upstream.envelope import Parameters, WireRequest, address
from app.upstream.multipart import File, StoredFile, stream_multipart, write_multipart
from app.upstream.transport import GuardedTransport
from app.upstream.wire import MaybeSent, NeverSent
from tests.support.servers import Behaviour, read_request, reset, serving, unused_port

PATIENT = Timeouts(connect=10, total=10)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>"
SIZE = 40_000_000


class Zeros(io.RawIOBase):
    """A file of zeros that counts what is read of it, and may break."""

    def __init__(self, size: int, *, breaks_at: int | None = None) -> None:
        super().__init__()
        self.size, self.breaks_at, self.at = size, breaks_at, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        assert (offset, whence) == (0, 0)
        self.at = 0
        return 0

    def read(self, size: int = -1) -> bytes:
        if self.breaks_at is not None and self.at >= self.breaks_at:
            raise OSError("a bad sector")
        count = min(size, self.size - self.at)
        self.at += count
        return bytes(count)


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    made = UpstreamClient(GuardedTransport(Destinations(), connections=100), max_reply_bytes=1000)
    yield made
    await made.aclose()


def request(base: str, content: io.IOBase, size: int) -> WireRequest:
    account = UpstreamAccount(base_url=base, username="acme", password=SecretStr("secret"))
    upload = StoredFile("file", "名单.txt", "text/plain", cast("BinaryIO", content), size)
    return address("mloperate.php", "ml-addr-add-file", Parameters(query={"list_id": "1"}, upload=upload), account)


class TestBody:
    @given(st.binary(max_size=100), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
    def test_is_the_form_that_is_written_in_memory(self, content: bytes, form: dict[str, str]) -> None:
        stored = StoredFile("file", '图"\r\n.txt', "text/plain", io.BytesIO(content), len(content))
        streamed_type, upload = stream_multipart(form, stored)
        written_type, expected = write_multipart(form, [File("file", '图"\r\n.txt', "text/plain", content)])

        async def read() -> bytes:
            return b"".join([chunk async for chunk in upload.chunks()])

        boundaries = [each.partition("boundary=")[2].encode() for each in (streamed_type, written_type)]
        for _ in range(2):
            body = asyncio.run(read())
            assert body.replace(boundaries[0], boundaries[1]) == expected
            assert len(body) == upload.size

    async def test_arrives_whole_with_its_length(self, client: UpstreamClient) -> None:
        seen: list[bytes] = []

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                seen.append(await read_request(reader))
                writer.write(ANSWER)
                await writer.drain()

        with tempfile.TemporaryFile() as file:
            file.write(b"a@example.com\n" * 100_000)
            async with serving(behave) as base:
                sent = request(base, cast("io.IOBase", file), 1_400_000)
                for _ in range(2):
                    assert (await client.send(sent, PATIENT)).body == b"<a/>"
        assert seen[0] == seen[1]
        assert seen[0].count(b"a@example.com\n") == 100_000
        assert b"transfer-encoding" not in seen[0].lower()

    async def test_is_read_no_faster_than_it_is_taken(self, client: UpstreamClient) -> None:
        file = Zeros(SIZE)
        arrived = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await asyncio.Event().wait()

        async with serving(behave) as base:
            sending = asyncio.create_task(client.send(request(base, file, SIZE), Timeouts(connect=1, total=0.3)))
            await arrived.wait()
            with pytest.raises(MaybeSent) as caught:
                await sending
        assert caught.value.timed_out
        assert 0 < file.at < SIZE / 2


class TestFailure:
    async def test_nothing_is_read_when_nobody_listens(self, client: UpstreamClient) -> None:
        file = Zeros(SIZE)
        with pytest.raises(NeverSent):
            await client.send(request(f"http://127.0.0.1:{unused_port()}/", file, SIZE), PATIENT)
        assert file.at == 0

    async def test_a_reset_in_the_middle_counts_as_sent(self, client: UpstreamClient) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(100_000)
            reset(writer)

        with pytest.raises(MaybeSent):
            await self._send(client, behave, Zeros(SIZE))

    @pytest.mark.parametrize("breaks_at", [0, 1_000_000])
    async def test_a_file_that_cannot_be_read_counts_as_sent(self, client: UpstreamClient, breaks_at: int) -> None:
        async def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        with pytest.raises(MaybeSent, match="the file to upload could not be read") as caught:
            await self._send(client, behave, Zeros(SIZE, breaks_at=breaks_at))
        assert "sector" not in str(caught.value)

    async def test_a_file_that_is_shorter_than_announced_counts_as_sent(self, client: UpstreamClient) -> None:
        async def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        with pytest.raises(MaybeSent):
            await self._send(client, behave, Zeros(SIZE - 1))

    async def test_a_closed_file_counts_as_sent(self, client: UpstreamClient) -> None:
        async def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        file = io.BytesIO(b"x")
        file.close()
        async with serving(behave) as base:
            with pytest.raises(MaybeSent):
                await client.send(request(base, file, 1), PATIENT)

    async def test_an_answer_before_the_end_of_the_body_is_heard(self, client: UpstreamClient) -> None:
        """The platform may refuse a login before it has read what came with it."""

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            while await reader.read(65536):
                pass

        async with serving(behave) as base:
            assert (await client.send(request(base, Zeros(SIZE), SIZE), PATIENT)).status == 401

    async def test_the_connection_of_half_a_request_is_not_used_again(self, client: UpstreamClient) -> None:
        """What comes next would be read as the rest of the body."""
        connections = 0

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            while await reader.read(65536):
                pass

        async with serving(behave) as base:
            for number in (1, 2):
                assert (await client.send(request(base, Zeros(SIZE), SIZE), PATIENT)).status == 401
                assert connections == number

    @staticmethod
    async def _send(client: UpstreamClient, behaviour: Behaviour, file: Zeros) -> None:
        async with serving(behaviour) as base:
            await client.send(request(base, file, SIZE), PATIENT)
