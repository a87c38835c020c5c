"""The transport to platforms: HTTP/1.1 over connections that are looked at before a byte leaves.

It stands in the place of the HTTP library's own, whose pool takes several times as long as all the rest of a call, and
the longer the more calls are under way.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import aclosing
from functools import lru_cache
from typing import NamedTuple, cast

import httpx2

from app.tenants.destinations import Destinations
from app.upstream.connection import Connection, Headers
from app.upstream.envelope import WireRequest
from app.upstream.pool import ConnectionPool, Origin
from app.upstream.wire import MaybeSent, NeverSent, Progress, Reply, Transport, TransportFailure

_PORTS = {"http": 80, "https": 443}
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class GuardedTransport(Transport):
    """A transport that connects only where it is allowed to."""

    def __init__(self, destinations: Destinations, *, connections: int) -> None:
        self._pool = ConnectionPool(destinations, connections=connections, tls=_trusting_the_system)

    async def open(self, request: WireRequest, *, connect: float, progress: Progress) -> Reply:
        base, mark, query = request.url.partition("?")
        place = _place(base, request.owner)
        head = _head(request, place, f"{place.path}{mark}{query}")
        reply = _Reply(self._pool, await self._connect(place.origin, connect), place.origin)
        try:
            await reply.begin(head, request, progress)
        except BaseException:
            await reply.aclose()
            raise
        return reply

    async def aclose(self) -> None:
        self._pool.close()

    async def _connect(self, origin: Origin, seconds: float) -> Connection:
        if self._pool.is_full:
            await self._wait_for_turn(seconds)
        else:
            await self._pool.take_turn()
        try:
            return self._pool.recall(origin) or await self._open(origin, seconds)
        except BaseException:
            self._pool.give_up()
            raise

    async def _wait_for_turn(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._pool.take_turn()
        except TimeoutError:
            raise NeverSent("no free connection in time", timed_out=True) from None

    async def _open(self, origin: Origin, seconds: float) -> Connection:
        try:
            async with asyncio.timeout(seconds):
                return await self._pool.open(origin)
        except TimeoutError:
            raise NeverSent("no connection in time", timed_out=True) from None
        except (OSError, UnicodeError):
            raise NeverSent("cannot connect") from None


def _trusting_the_system() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


class _Reply:
    def __init__(self, pool: ConnectionPool, connection: Connection, origin: Origin) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._pool = pool
        self._connection: Connection | None = connection
        self._at = connection
        self._origin = origin

    async def begin(self, head: bytes, request: WireRequest, progress: Progress) -> None:
        """Send the request and wait for the reply's head."""
        is_upload = request.upload is not None
        self._at.begin(head if is_upload else head + request.body, more=is_upload)
        progress.sending = True
        if is_upload:
            await self._upload(request)
        self.status, headers = await self._at.head()
        self.headers = _by_name(headers)

    async def _upload(self, request: WireRequest) -> None:
        if request.upload is None:
            return
        left = request.upload.size
        try:
            async with aclosing(request.upload.chunks()) as chunks:
                async for chunk in chunks:
                    left -= len(chunk)
                    if left < 0 or not await self._at.send(chunk, more=left > 0):
                        # More than was announced; or the platform has answered already, or is gone.
                        break
        except (OSError, ValueError):
            # Part of the request has left by now.
            raise MaybeSent("the file to upload could not be read") from None
        if left and not self._at.is_answered:
            raise MaybeSent("the file to upload is not as long as it was")

    def chunk(self) -> Awaitable[bytes | None]:
        return self._at.chunk()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection, self._origin)


def _by_name(headers: Headers) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _head(request: WireRequest, place: "_Place", target: str) -> bytes:
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {place.host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "host"]
    if request.method in _WITH_BODY and "content-length" not in map(str.lower, request.headers):
        lines.append(f"Content-Length: {len(request.body)}")
    text = "\r\n".join([*lines, "", ""])
    if text.count("\r") != len(lines) + 1 or text.count("\n") != len(lines) + 1 or "\0" in text:
        raise NeverSent("the request cannot be written as HTTP")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise NeverSent("the request cannot be written as HTTP") from None


class _Place(NamedTuple):
    origin: Origin
    host: str
    path: str


@lru_cache(maxsize=1000)
def _place(base: str, owner: str) -> _Place:
    try:
        url = httpx2.URL(base)
    except httpx2.InvalidURL:
        raise NeverSent("the base URL cannot be used") from None
    if url.scheme not in _PORTS:
        raise NeverSent("the base URL is neither http nor https")
    host, authority = url.raw_host.decode("ascii"), url.netloc.decode("ascii")
    return _Place(
        Origin(url.scheme, host.strip("[]"), url.port or _PORTS[url.scheme], owner),
        authority,
        url.raw_path.decode("ascii"),
    )


class TransportForLibrary(httpx2.AsyncBaseTransport):
    """The other way round: a transport for the HTTP library, for requests whose bodies are in memory."""

    def __init__(self, transport: Transport, *, connect: float) -> None:
        self._transport = transport
        self._connect = connect

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request.

        Raises:
            httpx2.TransportError: no reply came back.
        """
        body = b"".join(cast("httpx2.ByteStream", request.stream))
        wire = WireRequest(request.method, str(request.url), dict(request.headers), body)
        try:
            reply = await self._transport.open(wire, connect=self._connect, progress=Progress())
        except TransportFailure as failure:
            raise _library_error(failure) from None
        return httpx2.Response(reply.status, headers=dict(reply.headers), stream=_LibraryStream(reply))

    async def aclose(self) -> None:
        """Close our transport."""
        await self._transport.aclose()


def _library_error(failure: TransportFailure) -> httpx2.TransportError:
    if isinstance(failure, NeverSent):
        return httpx2.ConnectTimeout(failure.reason) if failure.timed_out else httpx2.ConnectError(failure.reason)
    return httpx2.ReadTimeout(failure.reason) if failure.timed_out else httpx2.ReadError(failure.reason)


class _LibraryStream(httpx2.AsyncByteStream):
    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while (chunk := await self._reply.chunk()) is not None:
                yield chunk
        except TransportFailure as failure:
            raise _library_error(failure) from None

    async def aclose(self) -> None:
        await self._reply.aclose()
