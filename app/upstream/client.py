"""Calls of platforms: one request's bytes in, one reply's bytes out, within their time and size.

No client object of the HTTP library is used: no cookie jar that tenants would share, no redirect that would carry
credentials elsewhere, no rewriting of the URL.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from app.upstream.encodings import codec_of
from app.upstream.envelope import WireReply, WireRequest
from app.upstream.wire import MaybeSent, NeverSent, Progress, Reply, Transport, TransportFailure

Result = TypeVar("Result")

_PORTIONS = 16
"""Portions of a reply that are decompressed before others get their turn; some milliseconds."""


class ReplyTooLarge(Exception):
    """The reply exceeds the size limit; the platform did answer, so the request was carried out."""


class Timeouts(NamedTuple):
    """Waits in seconds: to connect, for the call as a whole, and for the next bytes of a reply that is streamed."""

    connect: float
    total: float
    idle: float | None = None


@dataclass(frozen=True, slots=True)
class StreamedReply:
    """An HTTP reply whose body is still to come.

    Args:
        chunks: its body, without compression, some 64 KiB at most at a time. Nothing is read from the platform that is
            not asked for here. Raises `MaybeSent` where the body breaks off.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncGenerator[bytes]
    deadline: float


class UpstreamClient:
    """Sends requests over connections of which none serves two logins."""

    def __init__(self, transport: Transport, *, max_reply_bytes: int) -> None:
        self._transport = transport
        self._max_reply_bytes = max_reply_bytes

    async def send(self, request: WireRequest, timeouts: Timeouts) -> WireReply:
        """Send one request and read the whole reply.

        Raises:
            NeverSent, MaybeSent: no complete reply came back.
            ReplyTooLarge: the reply is larger than allowed.
        """
        progress = Progress()
        try:
            async with asyncio.timeout(timeouts.total):
                reply = await self._open(request, timeouts, progress)
                try:
                    body = await self._read(reply)
                finally:
                    await reply.aclose()
        except TimeoutError:
            raise _too_late(progress) from None
        return WireReply(reply.status, reply.headers, body)

    @asynccontextmanager
    async def stream(self, request: WireRequest, timeouts: Timeouts) -> AsyncIterator[StreamedReply]:
        """Send one request and give the reply once its head is there; leaving frees the connection.

        The idle time-out counts only while bytes are waited for, not while what has come is worked on.

        Raises:
            NeverSent, MaybeSent: no reply came back.
        """
        progress = Progress()
        deadline = asyncio.get_running_loop().time() + timeouts.total
        reply = await _within(deadline, None, self._open(request, timeouts, progress), progress)
        try:
            async with aclosing(_chunks(reply, deadline, timeouts.idle, progress)) as chunks:
                yield StreamedReply(reply.status, reply.headers, chunks, deadline)
        finally:
            await reply.aclose()

    def _open(self, request: WireRequest, timeouts: Timeouts, progress: Progress) -> Awaitable[Reply]:
        return self._transport.open(request, connect=min(timeouts.connect, timeouts.total), progress=progress)

    async def _read(self, reply: Reply) -> bytes:
        encoding = reply.headers.get("content-encoding")
        decompressor = Decompressor(encoding) if encoding else None
        body = bytearray()
        try:
            while (chunk := await reply.chunk()) is not None:
                for number, part in enumerate(decompressor.parts(chunk) if decompressor else (chunk,), 1):
                    body += part
                    if len(body) > self._max_reply_bytes:
                        raise ReplyTooLarge
                    if not number % _PORTIONS:
                        await asyncio.sleep(0)
            if decompressor:
                decompressor.end()
        except BrokenCompression:
            raise _undecodable() from None
        return bytes(body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


async def _chunks(reply: Reply, deadline: float, idle: float | None, progress: Progress) -> AsyncGenerator[bytes]:
    decompressor = Decompressor(reply.headers.get("content-encoding", ""))
    try:
        while (chunk := await _within(deadline, idle, reply.chunk(), progress)) is not None:
            for part in decompressor.parts(chunk):
                yield part
        decompressor.end()
    except BrokenCompression:
        raise _undecodable() from None


async def _within(deadline: float, idle: float | None, waiting: Awaitable[Result], progress: Progress) -> Result:
    """Await what the transport does, at most until the deadline or for the idle time."""
    until = deadline if idle is None else min(deadline, asyncio.get_running_loop().time() + idle)
    try:
        async with asyncio.timeout_at(until):
            return await waiting
    except TimeoutError:
        raise _too_late(progress) from None


def _too_late(progress: Progress) -> TransportFailure:
    return (MaybeSent if progress.sending else NeverSent)("no reply in time", timed_out=True)


def _undecodable() -> MaybeSent:
    return MaybeSent("the reply's compression is broken")


PORTION = 64 * 1024
_COMPRESSIONS = frozenset({"gzip", "x-gzip", "deflate"})
_NONE = frozenset({"", "identity", "none", "binary", "8bit", "7bit"})
_PADDING = b"\0 \t\r\n"


class BrokenCompression(ValueError):
    """The body is not what its Content-Encoding says, or stops in the middle."""


class Decompressor:
    """Undoes one reply's Content-Encoding; only gzip and deflate, with zlib's frame or without, can be undone."""

    def __init__(self, encoding: str) -> None:
        names = [each.strip(" \"'") for each in encoding.lower().split(",")]
        # Some write the charset where the compression belongs.
        self._name = ",".join(name for name in names if name not in _NONE and codec_of(name) is None)
        self._stream: zlib._Decompress | None = None
        self._head = b""
        self._is_padded = False

    def parts(self, data: bytes) -> Iterator[bytes]:
        """Yield what a chunk holds, in portions of at most `PORTION` bytes, however much it expands to.

        Raises:
            BrokenCompression: it is broken, or of a kind that is not known.
        """
        if not self._name:
            for start in range(0, len(data), PORTION):
                yield data[start : start + PORTION]
            return
        part = b""
        while data or len(part) == PORTION:
            part = b""
            if self._stream is None:
                data = self._begin(data)
                if self._stream is None:
                    return
            try:
                part = self._stream.decompress(data, PORTION)
            except zlib.error:
                raise BrokenCompression from None
            if part:
                yield part
            data = self._stream.unconsumed_tail
            if self._stream.eof:
                # Members of a gzip file may follow one another (RFC 1952, section 2.2), and padding them.
                data, self._stream, self._is_padded = self._stream.unused_data, None, True

    def _begin(self, data: bytes) -> bytes:
        """Begin a member as soon as its form can be told; return the bytes that belong to it."""
        data, self._head = self._head + data, b""
        if self._is_padded and not data.strip(_PADDING):
            return b""
        if self._name not in _COMPRESSIONS or (self._is_padded and data[:1] != b"\x1f"):
            raise BrokenCompression
        if len(data) < 2:
            self._head = data
            return b""
        framed = data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
        raw = self._name == "deflate" and not framed and data[:2] != b"\x1f\x8b"
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS if raw else 47)
        return data

    def end(self) -> None:
        """Check that nothing is missing; raises `BrokenCompression` where the last member is not complete."""
        if self._stream is not None or self._head:
            raise BrokenCompression
