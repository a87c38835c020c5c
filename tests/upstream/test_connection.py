"""Connections that are kept: what may be said on them twice, and what must never be taken for an answer."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
import trustme

from app.tenants.destinations import Destinations
from app.upstream.client import Timeouts, UpstreamClient
from app.upstream.envelope import WireReply, WireRequest
from app.upstream.pool import ConnectionPool, Origin
from app.upstream.transport import GuardedTransport
from app.upstream.wire import MaybeSent, NeverSent
from tests.support.clocks import settle
from tests.support.servers import read_request, serving

PATIENT = Timeouts(connect=10, total=10)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


class Platform:
    """Answers each request on a connection with the next of its answers; counts connections."""

    def __init__(self, *answers: bytes, closes: bool = False) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.heads: list[bytes] = []
        self.closed = asyncio.Event()
        self._closes = closes

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                self.heads.append(await read_request(reader))
                writer.write(self.answers.pop(0))
                await writer.drain()
                if self._closes:
                    return
            await reader.read()
        finally:
            writer.close()
            self.closed.set()


def answer(text: bytes) -> bytes:
    return OK % (len(text), text)


@asynccontextmanager
async def calling(platform: Platform, connections: int = 10) -> AsyncIterator[tuple[UpstreamClient, WireRequest]]:
    client = UpstreamClient(GuardedTransport(Destinations(), connections=connections), max_reply_bytes=1_000_000)
    async with serving(platform) as base:
        yield client, WireRequest("GET", f"{base}account.php?do=x", {})
        await client.aclose()


async def replies(platform: Platform, count: int) -> list[WireReply]:
    async with calling(platform) as (client, request):
        return [await client.send(request, PATIENT) for _ in range(count)]


class TestReuse:
    async def test_one_connection_for_one_call_after_the_other(self) -> None:
        platform = Platform(answer(b"a"), answer(b"b"), answer(b"c"))
        assert [reply.body for reply in await replies(platform, 3)] == [b"a", b"b", b"c"]
        assert platform.connections == 1

    async def test_as_many_as_there_are_calls_at_once(self) -> None:
        platform = Platform(*[answer(b"a")] * 3)
        async with calling(platform) as (client, request):
            await asyncio.gather(*(client.send(request, PATIENT) for _ in range(3)))
        assert platform.connections == 3

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
            b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naevil",
        ],
    )
    async def test_not_after_a_farewell_nor_after_bytes_that_nobody_asked_for(self, raw: bytes) -> None:
        platform = Platform(raw, answer(b"b"))
        assert [reply.body for reply in await replies(platform, 2)] == [b"a", b"b"]
        assert platform.connections == 2

    async def test_not_after_a_body_that_ends_with_the_connection(self) -> None:
        platform = Platform(b"HTTP/1.1 200 OK\r\n\r\na", answer(b"b"), closes=True)
        assert [reply.body for reply in await replies(platform, 2)] == [b"a", b"b"]

    async def test_not_of_one_that_the_platform_has_closed_in_the_meantime(self) -> None:
        """The farewell has arrived, though nobody has had the time to look."""
        platform = Platform(answer(b"a"), answer(b"b"), closes=True)
        async with calling(platform) as (client, request):
            assert (await client.send(request, PATIENT)).body == b"a"
            await platform.closed.wait()
            assert (await client.send(request, PATIENT)).body == b"b"
        assert platform.connections == 2

    async def test_not_of_one_that_speaks_unasked(self) -> None:
        spoken = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(answer(b"mine"))
            await writer.drain()
            if not spoken.is_set():
                await asyncio.sleep(0)
                writer.write(answer(b"not mine"))
                await writer.drain()
                spoken.set()
                await reader.read()

        client = UpstreamClient(GuardedTransport(Destinations(), connections=1), max_reply_bytes=1000)
        async with serving(behave) as base:
            request = WireRequest("GET", base, {})
            assert (await client.send(request, PATIENT)).body == b"mine"
            await spoken.wait()
            assert (await client.send(request, PATIENT)).body == b"mine"
        await client.aclose()

    async def test_a_kept_one_makes_room_for_another_platform(self) -> None:
        one, other = Platform(answer(b"a"), answer(b"c")), Platform(answer(b"b"))
        async with calling(one, connections=1) as (client, request), serving(other) as base:
            assert (await client.send(request, PATIENT)).body == b"a"
            assert (await client.send(WireRequest("GET", base, {}), PATIENT)).body == b"b"
            assert (await client.send(request, PATIENT)).body == b"c"
        assert (one.connections, other.connections) == (2, 1)

    async def test_not_for_ever(self) -> None:
        platform = Platform(answer(b"a"))
        async with serving(platform) as base:
            pool = ConnectionPool(Destinations(), connections=1, tls=ssl.create_default_context, kept_seconds=0.0)
            origin = Origin("http", "127.0.0.1", int(base.split(":")[2].partition("/")[0]))
            await pool.take_turn()
            connection = await pool.open(origin)
            connection.begin(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await connection.head()
            while await connection.chunk() is not None:
                pass
            assert connection.is_reusable
            pool.release(connection, origin)
            assert pool.recall(origin) is None
            async with asyncio.timeout(5):
                await platform.closed.wait()
            pool.close()


class TestOwners:
    async def test_no_connection_serves_two_logins(self) -> None:
        platform = Platform(answer(b"a"), answer(b"b"))
        async with calling(platform) as (client, request):
            mine, other = replace(request, owner="mine"), replace(request, owner="other")
            for each in (mine, other, mine, other):
                await client.send(each, PATIENT)
                platform.answers.append(answer(b"c"))
        assert platform.connections == 2

    async def test_a_reply_too_many_never_answers_another_login(self) -> None:
        asked = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while b"?mine" in (await read_request(reader)).partition(b"\r\n")[0]:
                writer.write(answer(b"mine"))
                await asked.wait()
                writer.write(answer(b"one too many"))
            asked.set()
            writer.write(answer(b"other"))

        client = UpstreamClient(GuardedTransport(Destinations(), connections=5), max_reply_bytes=1000)
        async with serving(behave) as base:
            mine = WireRequest("GET", f"{base}?mine", {}, owner="mine")
            other = WireRequest("GET", f"{base}?other", {}, owner="other")
            assert (await client.send(mine, PATIENT)).body == b"mine"
            assert (await client.send(other, PATIENT)).body == b"other"
            await settle()
            assert (await client.send(mine, PATIENT)).body == b"mine"
        await client.aclose()

    @pytest.mark.parametrize("status", ["200 OK", "413 Too Large"])
    async def test_only_a_refusal_may_come_before_the_request_is_there(self, status: str) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 1\r\n\r\nx".encode())
            await writer.drain()
            await reader.read()

        client = UpstreamClient(GuardedTransport(Destinations(), connections=1), max_reply_bytes=1000)
        async with serving(behave) as base:
            request = WireRequest("POST", base, {}, b"x" * 50_000_000)
            if status.startswith("200"):
                with pytest.raises(MaybeSent, match="not valid HTTP"):
                    await client.send(request, PATIENT)
            else:
                assert (await client.send(request, PATIENT)).status == 413
        await client.aclose()

    async def test_the_kept_ones_are_bounded_whoever_they_belong_to(self) -> None:
        platform = Platform(*[answer(b"a")] * 10)
        async with calling(platform, connections=3) as (client, request):
            for number in range(10):
                await client.send(replace(request, owner=str(number)), PATIENT)
            assert len(client._transport._pool._kept) <= 3  # type: ignore[attr-defined]


async def endless(head: bytes, piece: bytes) -> int:
    """Return how many bytes of a reply without an end are taken before it is refused."""
    sent = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(head)
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(piece)
                await writer.drain()
                sent += len(piece)

    client = UpstreamClient(GuardedTransport(Destinations(), connections=1), max_reply_bytes=10**9)
    async with serving(behave) as base:
        with pytest.raises(MaybeSent, match="not valid HTTP"):
            await client.send(WireRequest("GET", base, {}), PATIENT)
        await client.aclose()
    return sent


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 8192),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 300),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"X-A: b\r\n" * 1000),
        (CHUNKED + b"0\r\nX-A: ", b"b" * 8192),
        (CHUNKED + b"1;", b"x" * 8192),
        (CHUNKED, b"1;" + b"x" * 4000 + b"\r\na\r\n"),
    ],
    ids=["headers", "header", "announcements", "trailers", "trailer", "chunk extension", "chunk extensions"],
)
async def test_what_surrounds_a_body_is_bounded(head: bytes, piece: bytes) -> None:
    # Beyond what is taken there is what the kernel holds.
    assert await endless(head, piece) < 20_000_000


async def test_the_smallest_chunks_are_read_together() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n")
        await writer.drain()

    client = UpstreamClient(GuardedTransport(Destinations(), connections=1), max_reply_bytes=10**9)
    async with serving(behave) as base, client.stream(WireRequest("GET", base, {}), PATIENT) as reply:
        chunks = [chunk async for chunk in reply.chunks]
    await client.aclose()
    assert b"".join(chunks) == b"a" * 20_000
    assert len(chunks) < 200


class TestReply:
    async def test_what_only_announces_another_one_is_passed_over(self) -> None:
        raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(b"a")
        (reply,) = await replies(Platform(raw), 1)
        assert (reply.status, reply.body, "link" in reply.headers) == (200, b"a", False)

    async def test_a_trailer_says_nothing(self) -> None:
        raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Late: 1\r\n\r\n"
        (reply,) = await replies(Platform(raw), 1)
        assert (reply.body, dict(reply.headers)) == (b"a", {"transfer-encoding": "chunked"})

    async def test_headers_that_stand_twice_are_one(self) -> None:
        raw = b"HTTP/1.1 200 OK\r\nVia: a\r\nvia: b\r\nContent-Length: 0\r\n\r\n"
        (reply,) = await replies(Platform(raw), 1)
        assert reply.headers["via"] == "a, b"

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
            b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        ],
        ids=range(8),
    )
    async def test_that_could_be_read_in_two_ways_is_refused(self, raw: bytes) -> None:
        with pytest.raises(MaybeSent, match="not valid HTTP"):
            await replies(Platform(raw), 1)

    async def test_is_not_read_faster_than_it_is_used(self) -> None:
        written, blocked = 0, asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal written
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(bytes(65_536))
                written += 65_536
                try:
                    async with asyncio.timeout(0.2):
                        await writer.drain()
                except TimeoutError:
                    blocked.set()
                    raise

        client = UpstreamClient(GuardedTransport(Destinations(), connections=1), max_reply_bytes=1000)
        async with serving(behave) as base, client.stream(WireRequest("GET", base, {}), PATIENT):
            async with asyncio.timeout(5):
                await blocked.wait()
        assert written < 20_000_000
        await client.aclose()


class TestRequest:
    @pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X": "a\nb"}, {"X\r\n": "a"}, {"X": "a\0b"}, {"X": "王"}])
    async def test_that_would_be_more_than_one_is_not_sent(self, headers: dict[str, str]) -> None:
        platform = Platform(answer(b"a"))
        async with calling(platform) as (client, request):
            with pytest.raises(NeverSent, match="cannot be written"):
                await client.send(replace(request, headers=headers), PATIENT)
        assert platform.heads == []

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://[::1/", "//127.0.0.1/"])
    async def test_to_nowhere_is_not_sent(self, url: str) -> None:
        async with calling(Platform()) as (client, _):
            with pytest.raises(NeverSent, match="base URL"):
                await client.send(WireRequest("GET", url, {}), PATIENT)

    async def test_names_its_host_once(self) -> None:
        platform = Platform(answer(b"a"))
        async with calling(platform) as (client, request):
            await client.send(replace(request, headers={"host": "elsewhere"}), PATIENT)
        assert platform.heads[0].lower().count(b"host:") == 1
        assert b"host: 127.0.0.1:" in platform.heads[0].lower()

    async def test_waits_for_its_turn(self) -> None:
        platform = Platform(answer(b"a"), answer(b"b"))
        async with calling(platform, connections=1) as (client, request):
            both = await asyncio.gather(client.send(request, PATIENT), client.send(request, PATIENT))
        assert sorted(reply.body for reply in both) == [b"a", b"b"]
        assert platform.connections == 1


async def test_over_tls_the_name_is_checked() -> None:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(theirs)
    authority.configure_trust(ours)
    platform = Platform(answer(b"a"))
    server = await asyncio.start_server(platform, "127.0.0.1", 0, ssl=theirs)
    port = server.sockets[0].getsockname()[1]
    pool = ConnectionPool(Destinations(), connections=2, tls=lambda: ours)
    async with server:
        connection = await pool.open(Origin("https", "localhost", port))
        connection.begin(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await connection.head())[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            await pool.open(Origin("https", "127.0.0.1", port))
        pool.close()
        await platform.closed.wait()


async def test_an_ipv6_address_is_its_own_name() -> None:
    try:
        platform = Platform(answer(b"a"))
        server = await asyncio.start_server(platform, "::1", 0)
    except OSError:
        pytest.skip("there is no IPv6 here")
    port = server.sockets[0].getsockname()[1]
    client = UpstreamClient(GuardedTransport(Destinations(), connections=1), max_reply_bytes=1000)
    async with server:
        assert (await client.send(WireRequest("GET", f"http://[::1]:{port}/", {}), PATIENT)).body == b"a"
        await client.aclose()
        await platform.closed.wait()
