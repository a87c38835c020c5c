"""The transport against real sockets: every way to fail, and whether the request can have been seen."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator

import httpx2
import pytest

from app.tenants.destinations import Destinations
from app.upstream.client import ReplyTooLarge, Timeouts, UpstreamClient
from app.upstream.envelope import WireReply, WireRequest
from app.upstream.transport import GuardedTransport
from app.upstream.wire import MaybeSent, NeverSent, TransportFailure
from tests.support.library import LibraryTransport
from tests.support.servers import Behaviour, read_request, reset, serving, unused_port

TIMEOUTS = Timeouts(connect=0.5, total=0.5)
PATIENT = Timeouts(connect=10, total=10)


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    made = UpstreamClient(GuardedTransport(Destinations(), connections=100), max_reply_bytes=1000)
    yield made
    await made.aclose()


def request(base: str, body: bytes = b"a=1") -> WireRequest:
    return WireRequest("POST", f"{base}task.php?do=add-task&x=%40%2F%25+%E5", {"X-Test": "1"}, body)


async def exchange(client: UpstreamClient, behaviour: Behaviour, timeouts: Timeouts = PATIENT) -> WireReply:
    async with serving(behaviour) as base:
        return await client.send(request(base), timeouts)


def answering(raw: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(raw)
        await writer.drain()

    return behave


class TestReply:
    async def test_comes_back_whole(self, client: UpstreamClient) -> None:
        reply = await exchange(
            client, answering(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<a/>\n")
        )
        assert (reply.status, reply.headers["content-type"], reply.body) == (200, "text/html", b"<a/>\n")

    async def test_compression_that_was_not_asked_for_is_undone(self, client: UpstreamClient) -> None:
        body = gzip.compress(b"<a/>")
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        assert (await exchange(client, answering(head + body))).body == b"<a/>"

    async def test_a_bomb_is_unpacked_up_to_the_limit_only(self, client: UpstreamClient) -> None:
        body = gzip.compress(bytes(60_000_000))
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        tracemalloc.start()
        try:
            with pytest.raises(ReplyTooLarge):
                await exchange(client, answering(head + body))
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()

    async def test_redirects_are_not_followed_and_cookies_not_kept(self, client: UpstreamClient) -> None:
        seen: list[bytes] = []

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                seen.append(await read_request(reader))
                writer.write(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nSet-Cookie: s=1\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()

        async with serving(behave) as base:
            assert (await client.send(request(base), PATIENT)).status == 302
            assert (await client.send(request(base), PATIENT)).status == 302
        assert len(seen) == 2
        assert b"cookie" not in seen[1].lower()

    async def test_url_goes_out_untouched(self, client: UpstreamClient) -> None:
        seen: list[bytes] = []

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await read_request(reader))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()

        await exchange(client, behave)
        assert seen[0].startswith(b"POST /mm-ms/apinew/task.php?do=add-task&x=%40%2F%25+%E5 HTTP/1.1\r\n")
        assert seen[0].endswith(b"\r\n\r\na=1")

    @pytest.mark.parametrize("size", [1001, 100_000])
    async def test_over_the_limit_is_refused(self, client: UpstreamClient, size: int) -> None:
        raw = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size
        with pytest.raises(ReplyTooLarge):
            await exchange(client, answering(raw))

    async def test_endless_reply_is_refused(self, client: UpstreamClient) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x" * 4096)
                await writer.drain()

        with pytest.raises(ReplyTooLarge):
            await exchange(client, behave)


class TestNeverSent:
    async def test_refused_connection(self, client: UpstreamClient) -> None:
        with pytest.raises(NeverSent, match="cannot connect"):
            await client.send(request(f"http://127.0.0.1:{unused_port()}/"), PATIENT)

    async def test_unknown_host(self, client: UpstreamClient) -> None:
        with pytest.raises(NeverSent, match="cannot connect"):
            await client.send(request("http://nowhere.invalid/"), PATIENT)

    async def test_tls_that_fails(self, client: UpstreamClient) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            reset(writer)

        async with serving(behave) as base:
            with pytest.raises(NeverSent):
                await client.send(request(base.replace("http:", "https:")), PATIENT)

    async def test_no_free_connection(self) -> None:
        client = UpstreamClient(GuardedTransport(Destinations(), connections=1), max_reply_bytes=1000)
        received = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            received.set()
            await reader.read()

        async with serving(behave) as base:
            first = asyncio.create_task(client.send(request(base), PATIENT))
            await received.wait()
            with pytest.raises(NeverSent) as caught:
                await client.send(request(base), Timeouts(connect=0.05, total=10))
            assert caught.value.timed_out
            first.cancel()
        await client.aclose()

    async def test_bad_scheme(self, client: UpstreamClient) -> None:
        with pytest.raises(NeverSent):
            await client.send(request("ftp://127.0.0.1/"), PATIENT)


class TestMaybeSent:
    async def test_reset_after_the_request(self, client: UpstreamClient) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            reset(writer)

        with pytest.raises(MaybeSent):
            await exchange(client, behave)

    async def test_closed_without_a_reply(self, client: UpstreamClient) -> None:
        with pytest.raises(MaybeSent):
            await exchange(client, answering(b""))

    async def test_reset_before_reading_counts_as_sent(self, client: UpstreamClient) -> None:
        """The client cannot know that nobody read what it wrote."""

        async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reset(writer)

        async with serving(behave) as base:
            with pytest.raises(MaybeSent):
                await client.send(request(base, b"x" * 1_000_000), PATIENT)

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n<a>",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<a>",
            b"HTTP/1.1 ABC Nonsense\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        ],
    )
    async def test_reply_that_is_broken(self, client: UpstreamClient, raw: bytes) -> None:
        with pytest.raises(MaybeSent):
            await exchange(client, answering(raw))

    async def test_no_reply_in_time(self, client: UpstreamClient) -> None:
        async def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        with pytest.raises(MaybeSent) as caught:
            await exchange(client, behave, TIMEOUTS)
        assert caught.value.timed_out

    async def test_a_byte_now_and_then_does_not_extend_the_deadline(self, client: UpstreamClient) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

        with pytest.raises(MaybeSent) as caught:
            await exchange(client, behave, TIMEOUTS)
        assert caught.value.timed_out


def _transport_errors() -> list[type[Exception]]:
    found, queue = [], [httpx2.TransportError]
    while queue:
        kind = queue.pop()
        queue.extend(kind.__subclasses__())
        found.append(kind)
    return [*found, httpx2.DecodingError]


@pytest.mark.parametrize("kind", _transport_errors(), ids=lambda kind: kind.__name__)
async def test_every_error_of_the_library_is_translated_without_its_text(kind: type[httpx2.TransportError]) -> None:
    def fail(sent: httpx2.Request) -> httpx2.Response:
        raise kind(f"text with {sent.url}")

    client = UpstreamClient(LibraryTransport(httpx2.MockTransport(fail)), max_reply_bytes=1000)
    with pytest.raises(TransportFailure) as caught:
        await client.send(request("http://127.0.0.1/"), PATIENT)
    assert "add-task" not in caught.value.reason


async def stream(client: UpstreamClient, behaviour: Behaviour, timeouts: Timeouts = PATIENT) -> list[bytes]:
    async with serving(behaviour) as base, client.stream(request(base), timeouts) as reply:
        return [part async for part in reply.chunks]


class TestStream:
    """What `send` promises holds here too; the faults in the middle of an export are tested with the gateway."""

    async def test_gives_the_head_first(self, client: UpstreamClient) -> None:
        go_on = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 203 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n")
            await go_on.wait()
            writer.write(b"<a/>\n")

        async with serving(behave) as base, client.stream(request(base), PATIENT) as reply:
            assert (reply.status, reply.headers["content-type"]) == (203, "text/html")
            go_on.set()
            assert b"".join([part async for part in reply.chunks]) == b"<a/>\n"

    async def test_there_is_no_limit_to_its_size(self, client: UpstreamClient) -> None:
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
        assert sum(map(len, await stream(client, answering(raw)))) == 1_000_000

    async def test_compression_is_undone_in_portions(self, client: UpstreamClient) -> None:
        body = gzip.compress(bytes(10_000_000)) + gzip.compress(b"end")
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        parts = await stream(client, answering(head + body))
        assert max(map(len, parts)) <= 65_536
        assert b"".join(parts) == bytes(10_000_000) + b"end"

    async def test_refused_connection(self, client: UpstreamClient) -> None:
        with pytest.raises(NeverSent, match="cannot connect"):
            async with client.stream(request(f"http://127.0.0.1:{unused_port()}/"), PATIENT):
                pass

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n<a>",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<a>",
            b"HTTP/1.1 ABC Nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 2\r\n\r\n\x78\x9c",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\nnope",
        ],
    )
    async def test_reply_that_is_broken(self, client: UpstreamClient, raw: bytes) -> None:
        with pytest.raises(MaybeSent):
            await stream(client, answering(raw))

    @pytest.mark.parametrize("timeouts", [TIMEOUTS, Timeouts(connect=10, total=10, idle=0.2)])
    async def test_no_more_in_time(self, client: UpstreamClient, timeouts: Timeouts) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n<a>")
            await reader.read()

        with pytest.raises(MaybeSent) as caught:
            await stream(client, behave, timeouts)
        assert caught.value.timed_out

    async def test_leaving_closes_the_connection(self, client: UpstreamClient) -> None:
        left = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n<a>")
            await reader.read()
            left.set()

        async with serving(behave) as base:
            async with client.stream(request(base), PATIENT) as reply:
                assert await anext(reply.chunks) == b"<a>"
            await asyncio.wait_for(left.wait(), 1)


@pytest.mark.parametrize("kind", _transport_errors(), ids=lambda kind: kind.__name__)
async def test_every_error_is_translated_when_streaming_too(kind: type[httpx2.TransportError]) -> None:
    def fail(sent: httpx2.Request) -> httpx2.Response:
        raise kind(f"text with {sent.url}")

    client = UpstreamClient(LibraryTransport(httpx2.MockTransport(fail)), max_reply_bytes=1000)
    with pytest.raises(TransportFailure) as caught:
        async with client.stream(request("http://127.0.0.1/"), PATIENT):
            pass
    assert "add-task" not in caught.value.reason
    assert caught.value.__cause__ is caught.value.__context__ is None
