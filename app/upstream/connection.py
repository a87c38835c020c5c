"""One HTTP/1.1 connection to a platform: one exchange at a time, and no doubt about what has happened on it."""

import asyncio
import select
from collections import deque
from typing import cast

import httptools

from app.upstream.wire import MaybeSent, NeverSent, TransportFailure

_LARGEST_FRAME = 100_000
_FRAME_PER_BYTE = 8
"""Bytes of head, chunk sizes, chunk extensions and trailers that a reply may have, and how many more for each byte of
its body; `1\r\n` and `\r\n` surround the smallest chunk."""
_ENOUGH = 256 * 1024
"""Bytes of a body that may wait to be read; beyond that the platform has to."""

Headers = list[tuple[bytes, bytes]]


class Connection(asyncio.Protocol):
    """A connection that is open, or was.

    An exchange is `begin`, `send` for a longer request, `head`, and `chunk` until there are no more.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._poll: select.poll | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._woken: asyncio.Future[None] | None = None
        self._lost = False
        self._idle()

    def _idle(self) -> None:
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: Headers = []
        self._head: tuple[int, Headers] | None = None
        self._frame_bytes = self._body_bytes = 0
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._held_up = False
        self._ends_with_connection = False
        self._keeps_alive = False
        self._sent_whole = False
        self._complete = False
        self._broken: TransportFailure | None = None

    def begin(self, data: bytes, *, more: bool = False) -> None:
        """Begin an exchange by sending a request, or its head if there is to be more.

        Raises:
            NeverSent: the connection was lost, or something came on it that nobody asked for.
        """
        if self._lost or self._transport.is_closing():
            raise NeverSent("the connection was lost before anything was sent")
        self._idle()
        self._sent_whole = not more
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(data)

    async def send(self, data: bytes, *, more: bool) -> bool:
        """Send more of the request, no faster than it is taken; tell whether that makes sense any more."""
        if self.is_answered:
            return False
        self._sent_whole = not more
        self._transport.write(data)
        await self._writable.wait()
        return True

    async def head(self) -> tuple[int, Headers]:
        """Wait for the reply's head; return its status and its headers, names in lower case.

        Raises:
            NeverSent, MaybeSent: it does not come.
        """
        while self._head is None:
            await self._wait()
        return self._head

    async def chunk(self) -> bytes | None:
        """Wait for more of the reply's body; None is its end.

        Raises:
            MaybeSent: it breaks off.
        """
        while not self._chunks:
            if self._complete:
                return None
            await self._wait()
        data = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        if self._held_up and self._size < _ENOUGH:
            self._held_up = False
            self._transport.resume_reading()
        return data

    @property
    def is_answered(self) -> bool:
        """Whether the reply's head has come, or never will."""
        return self._head is not None or self._broken is not None

    @property
    def is_reusable(self) -> bool:
        """Whether the exchange is over and the platform will take another one."""
        # After half a request the next one would be read as the rest of its body.
        over = self._complete and self._sent_whole
        return over and self._keeps_alive and not self._lost and not self._transport.is_closing()

    def is_quiet(self) -> bool:
        """Tell whether nothing has come since the last exchange, not even the platform's good-bye.

        The event loop may not have heard of it yet; the kernel has.
        """
        if self._lost or self._broken is not None or self._transport.is_closing():
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLPRI)
        return not self._poll.poll(0)

    def abort(self) -> None:
        """End the connection, whatever is under way."""
        self._transport.abort()

    async def _wait(self) -> None:
        if self._broken is not None:
            raise self._broken
        self._woken = self._loop.create_future()
        try:
            await self._woken
        finally:
            self._woken = None

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def _break(self, reason: str) -> None:
        if self._broken is None and not self._complete:
            self._broken = MaybeSent(reason)
        self._writable.set()
        self._wake()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection (called by the event loop, like everything below)."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the connection up; a body without a length ends here, unless something is wrong."""
        self._lost = True
        if self._head is not None and self._ends_with_connection and exc is None and self._broken is None:
            self._complete = True
            self._wake()
        else:
            self._break("the connection broke while waiting for the reply")

    def pause_writing(self) -> None:
        """Stop sending for a while."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on sending."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Read what has come. What nobody has asked for ends the connection: it could pass for the next reply."""
        parser = self._parser
        if parser is None or self._complete or self._broken is not None:
            self._transport.abort()
            return
        body_before = self._body_bytes
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse()
            return
        # Trailers and chunk extensions pass unseen by any callback, or only once they are whole.
        self._frame_bytes += len(data) - (self._body_bytes - body_before)
        if self._frame_bytes > _LARGEST_FRAME + _FRAME_PER_BYTE * self._body_bytes:
            self._refuse()

    def _refuse(self) -> None:
        self._break("the reply is not valid HTTP or stopped in the middle")
        self._transport.abort()

    def on_message_begin(self) -> None:
        """Begin a reply (called by the parser, like everything below)."""
        if self._complete:
            # A second reply to one request.
            raise httptools.HttpParserError("more than one reply")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header of the reply; those of its trailer are dropped."""
        if self._head is None:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the head as a whole, unless it only announces another one."""
        parser = cast("httptools.HttpResponseParser", self._parser)
        status = parser.get_status_code()
        if 100 <= status < 200:
            if status == 101:
                raise httptools.HttpParserError("a protocol that nobody asked for")
            return
        if status < 400 and (not self._sent_whole or self._transport.get_write_buffer_size()):
            # It answers another request; only a refusal may come before its request is there.
            raise httptools.HttpParserError("a reply before its request")
        framing = {name: value for name, value in self._headers if name in _FRAMING}
        if framing.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise httptools.HttpParserError("an unknown transfer encoding")
        self._ends_with_connection = not framing and status not in _WITHOUT_BODY
        self._keeps_alive = parser.should_keep_alive()
        self._head = status, self._headers
        self._wake()

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self._chunks.append(data)
        self._size += len(data)
        self._body_bytes += len(data)
        if self._size >= _ENOUGH and not self._held_up:
            self._held_up = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """Note the reply's end."""
        if self._head is None:
            self._headers = []
            return
        self._complete = True
        self._wake()


_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_WITHOUT_BODY = frozenset({204, 304})
