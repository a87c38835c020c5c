"""The transport to platforms: an HTTP client that knows of every failure whether the request can have been seen.

It stands in for the library's own, whose pool takes several times as long as the rest of a request, and more the more
requests are under way.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import cast

import httpx2

from app.tenants.destinations import Destinations
from app.upstream.connection import Connection, ConnectionBroken
from app.upstream.pool import ConnectionPool, Origin

_PORTS = {"http": 80, "https": 443}
_UNWRITABLE = re.compile(rb"[\r\n\x00]")
_SENDING = "http11.send_request_headers.started"


class GuardedTransport(httpx2.AsyncBaseTransport):
    """An HTTP/1.1 transport that connects only where it is allowed to.

    The URL goes out as it is, redirects are not followed, cookies not kept, and nothing is sent twice.

    Args:
        destinations: decides about the address a connection has really reached.
        connections: connections at once, kept ones included.
    """

    def __init__(self, destinations: Destinations, *, connections: int) -> None:
        context = httpx2.create_ssl_context(trust_env=False)
        self._pool = ConnectionPool(destinations, connections=connections, context=context)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; return the reply once its head is there.

        The request's extensions may hold `timeout`, of which `connect`, `pool` and `read` count, and `trace`, which is
        told when the first byte leaves.

        Raises:
            httpx2.HTTPError: `UnsupportedProtocol`, `ConnectError`, `ConnectTimeout` and `PoolTimeout` say that nothing
                was sent; with anything else the request may have been received.
        """
        url = request.url
        origin = _origin(url.scheme, url.raw_host, url.port)
        connection = await self._connect(origin, request)
        reply = _Reply(self._pool, connection, origin, request.extensions.get("timeout", {}).get("read"))
        try:
            status, headers = await reply.begin(request)
        except BaseException:
            await reply.aclose()
            raise
        return httpx2.Response(status, headers=headers, stream=reply)

    async def aclose(self) -> None:
        """End every connection."""
        self._pool.close()

    async def _connect(self, origin: Origin, request: httpx2.Request) -> Connection:
        waits = request.extensions.get("timeout", {})
        try:
            async with asyncio.timeout(waits.get("pool")):
                await self._pool.take_turn()
        except TimeoutError:
            raise httpx2.PoolTimeout("no free connection in time") from None
        try:
            async with asyncio.timeout(waits.get("connect")):
                return await self._pool.connect(origin)
        except TimeoutError:
            self._pool.give_up()
            raise httpx2.ConnectTimeout("no connection in time") from None
        except (OSError, UnicodeError) as error:
            self._pool.give_up()
            raise httpx2.ConnectError(type(error).__name__) from None
        except BaseException:
            self._pool.give_up()
            raise


class _Reply(httpx2.AsyncByteStream):
    def __init__(self, pool: ConnectionPool, connection: Connection, origin: Origin, patience: float | None) -> None:
        self._pool = pool
        self._connection: Connection | None = connection
        self._origin = origin
        self._patience = patience

    async def begin(self, request: httpx2.Request) -> tuple[int, list[tuple[bytes, bytes]]]:
        connection = cast("Connection", self._connection)
        head = _head(request)
        if (trace := request.extensions.get("trace")) is not None:
            await trace(_SENDING, {})
        try:
            async with asyncio.timeout(self._patience):
                await _send(connection, head, request)
                return await connection.head()
        except TimeoutError:
            raise httpx2.ReadTimeout("no reply in time") from None
        except ConnectionBroken as broken:
            raise _error(broken) from None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._connection is None:
            return
        try:
            while (chunk := await self._chunk(self._connection)) is not None:
                yield chunk
        except TimeoutError:
            raise httpx2.ReadTimeout("no more in time") from None
        except ConnectionBroken as broken:
            raise _error(broken) from None

    async def _chunk(self, connection: Connection) -> bytes | None:
        if self._patience is None:
            return await connection.chunk()
        async with asyncio.timeout(self._patience):
            return await connection.chunk()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection, self._origin)


async def _send(connection: Connection, head: bytes, request: httpx2.Request) -> None:
    stream = request.stream
    if isinstance(stream, httpx2.ByteStream):
        connection.begin(head + b"".join(stream))
        return
    connection.begin(head)
    async for chunk in cast("httpx2.AsyncByteStream", stream):
        if not await connection.send(chunk):
            # The platform has answered already, or is gone.
            return


def _error(broken: ConnectionBroken) -> httpx2.HTTPError:
    return httpx2.ReadError(str(broken)) if broken.understood else httpx2.RemoteProtocolError(str(broken))


def _head(request: httpx2.Request) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b" % header for header in request.headers.raw]
    if any(_UNWRITABLE.search(line) for line in lines):
        raise httpx2.LocalProtocolError("a header that cannot be written")
    return b"\r\n".join((*lines, b"", b""))


@lru_cache(maxsize=1000)
def _origin(scheme: str, host: bytes, port: int | None) -> Origin:
    if scheme not in _PORTS:
        raise httpx2.UnsupportedProtocol("neither http nor https")
    return Origin(scheme, host.decode("ascii").strip("[]"), port or _PORTS[scheme])
