"""The transport: one request's bytes in, one reply's bytes out, and exact knowledge of what a failure means.

The one question that matters after a failure is whether the platform can have seen the request. `NeverSent` says it
cannot; `MaybeSent` says it may have. The transport is called directly, without a client object: no cookie jar that
tenants would share, no redirect that would carry credentials elsewhere, no rewriting of the URL.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx2

from app.upstream.compression import BrokenCompression, Decompressor
from app.upstream.envelope import WireReply, WireRequest
from app.upstream.multipart import Upload

Result = TypeVar("Result")

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_TIMED_OUT = (httpx2.TimeoutException,)


class TransportFailure(Exception):
    """The call failed below HTTP.

    Args:
        reason: what happened, in words that hold neither URL nor credentials.
        timed_out: whether time ran out, rather than something breaking.
    """

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = timed_out


class NeverSent(TransportFailure):
    """Not a byte of the request left the gateway; repeating it is safe."""


class MaybeSent(TransportFailure):
    """The platform may have received and carried out the request."""


class ReplyTooLarge(Exception):
    """The reply exceeds the size limit; the platform did answer, so the request was carried out."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Waits in seconds: to connect, for the call as a whole, and for the next bytes of a reply that is streamed."""

    connect: float
    total: float
    idle: float | None = None


@dataclass(frozen=True, slots=True)
class StreamedReply:
    """An HTTP reply whose body is still to come.

    Args:
        status: the HTTP status.
        headers: its headers.
        chunks: its body, without compression, some 64 KiB at most at a time. Nothing is read from the platform that is
            not asked for here. Raises `MaybeSent` where the body breaks off.
        deadline: when the call's total time is over, on the event loop's clock.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncGenerator[bytes]
    deadline: float


class UpstreamClient:
    """Sends requests over a connection pool shared by all tenants.

    Args:
        transport: an httpx2 transport; closed by `aclose`.
        max_reply_bytes: the largest reply that is read into memory.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport, *, max_reply_bytes: int) -> None:
        self._transport = transport
        self._max_reply_bytes = max_reply_bytes

    async def send(self, request: WireRequest, timeouts: Timeouts) -> WireReply:
        """Send one request and read the whole reply.

        Raises:
            NeverSent, MaybeSent: no complete reply came back.
            ReplyTooLarge: the reply is larger than allowed.
        """
        progress = _Progress()
        try:
            async with asyncio.timeout(timeouts.total):
                return await self._exchange(_httpx_request(request, timeouts, progress))
        except (TimeoutError, httpx2.HTTPError) as error:
            failure = _failure(error, progress)
        # Raised here, where the library's error, which may quote the request, does not become its context.
        raise failure

    @asynccontextmanager
    async def stream(self, request: WireRequest, timeouts: Timeouts) -> AsyncIterator[StreamedReply]:
        """Send one request and give the reply once its head is there; leaving frees the connection.

        The idle time-out counts only while bytes are waited for, not while what has come is worked on.

        Raises:
            NeverSent, MaybeSent: no reply came back.
        """
        progress = _Progress()
        deadline = asyncio.get_running_loop().time() + timeouts.total
        wire = _httpx_request(request, timeouts, progress)
        response = await _within(deadline, None, self._transport.handle_async_request(wire), progress)
        try:
            async with aclosing(_chunks(response, deadline, timeouts.idle, progress)) as chunks:
                yield StreamedReply(response.status_code, response.headers, chunks, deadline)
        finally:
            await response.aclose()

    async def _exchange(self, request: httpx2.Request) -> WireReply:
        response = await self._transport.handle_async_request(request)
        try:
            body = await self._read(response)
        finally:
            await response.aclose()
        return WireReply(response.status_code, response.headers, body)

    async def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async with aclosing(response.aiter_bytes()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > self._max_reply_bytes:
                    raise ReplyTooLarge
        return bytes(body)

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._transport.aclose()


async def _chunks(
    response: httpx2.Response, deadline: float, idle: float | None, progress: "_Progress"
) -> AsyncGenerator[bytes]:
    decompressor = Decompressor(response.headers.get("content-encoding", ""))
    # Not the library's own iteration, which undoes compression without a bound.
    stream = cast("AsyncGenerator[bytes]", aiter(cast("httpx2.AsyncByteStream", response.stream)))
    try:
        async with aclosing(stream):
            while (chunk := await _within(deadline, idle, anext(stream, None), progress)) is not None:
                for part in decompressor.parts(chunk):
                    yield part
        decompressor.end()
    except BrokenCompression:
        raise MaybeSent(_REASONS["DecodingError"]) from None


async def _within(deadline: float, idle: float | None, waiting: Awaitable[Result], progress: "_Progress") -> Result:
    """Await what the library does, at most until the deadline or for the idle time, and translate its errors."""
    until = deadline if idle is None else min(deadline, asyncio.get_running_loop().time() + idle)
    try:
        async with asyncio.timeout_at(until):
            return await waiting
    except (TimeoutError, httpx2.HTTPError) as error:
        failure = _failure(error, progress)
    raise failure


class _Progress:
    """Learns from the transport's trace events whether the request has begun to leave."""

    def __init__(self) -> None:
        self.sending = False

    async def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.sending = True


def _httpx_request(request: WireRequest, timeouts: Timeouts, progress: _Progress) -> httpx2.Request:
    # The waits for bytes are bounded here, for the call as a whole.
    waits = dict.fromkeys(("connect", "pool"), min(timeouts.connect, timeouts.total))
    return httpx2.Request(
        request.method,
        request.url,
        headers=dict(request.headers),
        content=_upload(request.upload) if request.upload else request.body or None,
        extensions={"timeout": waits, "trace": progress},
    )


async def _upload(upload: Upload) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(upload.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
    except (OSError, ValueError):
        # Part of the request may have left by now.
        raise _UnreadableUpload("") from None


class _UnreadableUpload(httpx2.TransportError):
    """The file to upload could not be read to its end."""


def _failure(error: TimeoutError | httpx2.HTTPError, progress: _Progress) -> TransportFailure:
    if isinstance(error, TimeoutError):
        kind = MaybeSent if progress.sending else NeverSent
        return kind("no reply in time", timed_out=True)
    kind = NeverSent if isinstance(error, _NEVER_SENT) else MaybeSent
    return kind(_reason(error), timed_out=isinstance(error, _TIMED_OUT))


def _reason(error: Exception) -> str:
    # The library's own message may quote the URL; its class says enough.
    return _REASONS.get(type(error).__name__, "the connection failed")


_REASONS = {
    "ConnectError": "cannot connect",
    "ConnectTimeout": "no connection in time",
    "PoolTimeout": "no free connection in time",
    "UnsupportedProtocol": "the base URL is neither http nor https",
    "ReadTimeout": "no reply in time",
    "WriteTimeout": "the request could not be sent in time",
    "ReadError": "the connection broke while waiting for the reply",
    "WriteError": "the connection broke while sending",
    "RemoteProtocolError": "the reply is not valid HTTP or stopped in the middle",
    "DecodingError": "the reply's compression is broken",
    "_UnreadableUpload": "the file to upload could not be read",
}
