"""The HTTP server's protocol with bounds that the parser does not have: on heads, and on patience with clients."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.api.problems import problem_response
from app.api.request_head import LONGEST_URL, MOST_HEADERS, framing, head_size, refused_head
from app.api.sending import security_headers
from app.errors import GatewayError, HeadersTooLarge, MalformedRequest, UrlTooLong
from app.texts import sentence

log = structlog.get_logger("app.access")

_CHUNK_FRAME = 16
"""Bytes around a chunk that are not held against anybody."""


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """What a client may ask of a connection.

    Args:
        head_bytes: the largest head, the URL and all headers together; trailers and chunk extensions too.
        head_seconds: how long a head may take to arrive, and the rest of a body that is not wanted any more.
        stall_seconds: how long a client may leave unread what it is sent.
    """

    head_bytes: int
    head_seconds: float
    stall_seconds: float


class _Refused(Exception):
    """Ends the parsing of a request."""


class _Patience:
    """A timer that is set and taken back as its client keeps the server waiting."""

    def __init__(self, seconds: float, over: Callable[[], None]) -> None:
        self._seconds = seconds
        self._over = over
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._over)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class BoundedProtocol(HttpToolsProtocol):
    """Refuses bad and large heads with problem documents, and cuts off clients that keep it waiting.

    Three waits are bounded: for a head, from the connection or its first byte on; for the rest of a body, once the
    request has been answered without it; and for a client to read what it was sent. Trailers are dropped. An upgrade
    is never offered: a request that asks for one is answered as if it had not (RFC 9110, section 7.8).
    """

    def __init__(self, *arguments: Any, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._bounds = bounds
        self._in_head = self._in_body = self._begun = self._muted = False
        self._head_bytes = self._segment_bytes = self._content_bytes = self._trailers = 0
        self._body_overhead = 0
        self._refusal: GatewayError | None = None
        self._for_head = _Patience(bounds.head_seconds, self._abort)
        self._for_rest = _Patience(bounds.head_seconds, self._abort)
        self._for_reader = _Patience(bounds.stall_seconds, self._abort)

    def _abort(self) -> None:
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._for_head.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        for patience in (self._for_head, self._for_rest, self._for_reader):
            patience.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, as long as it stays within the bounds."""
        self._unset_keepalive_if_required()
        self._segment_bytes = len(data)
        self._content_bytes = 0
        self._head_bytes += len(data) if self._in_head else 0
        in_body = self._in_body
        self._begun = self._in_head or in_body
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._continue_without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self.send_400_response("The request is not HTTP.")
            return
        if self._in_head and self._head_bytes > self._bounds.head_bytes and not self.transport.is_closing():
            self._refuse(self._too_large())
        elif in_body and self._in_body:
            self._body_overhead += max(0, len(data) - self._content_bytes)
            if self._body_overhead > self._bounds.head_bytes:
                self._refuse(self._too_large())
        elif self._in_head or not self._begun:
            # Part of a head, or blank lines before one.
            self._for_head.begin()

    def _continue_without_upgrade(self, rest: bytes) -> None:
        """Have a new parser read the body: the old one takes what follows the head for another protocol."""
        head = b"POST / HTTP/1.1\r\n%b\r\n" % framing(self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._muted = True
        self.parser.feed_data(head)
        if rest:
            self.data_received(rest)

    def _should_upgrade(self) -> bool:
        return False

    def on_message_begin(self) -> None:
        """Note that a head begins; what came with it counts as part of it until it is known better."""
        if self._muted:
            return
        super().on_message_begin()
        self._in_head = self._begun = True
        self._head_bytes = self._segment_bytes
        self._trailers = self._body_overhead = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        if not self._muted:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, and drop a trailer: whatever it says, it is not of the head."""
        if self._in_body and not self._muted:
            self._trailers += 1
            if self._trailers > MOST_HEADERS:
                self._refusal = HeadersTooLarge(
                    sentence("There are more than {most_headers} trailers.", most_headers=MOST_HEADERS)
                )
                raise _Refused
        elif not self._muted:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Look at a head that is complete before anything is done with it."""
        if self._muted:
            self._muted = False
            return
        self._for_head.end()
        self._in_head, self._in_body = False, True
        if (refusal := self._refused_head()) is not None:
            self._refusal = refusal
            raise _Refused
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Let a chunk have its frame."""
        self._content_bytes += _CHUNK_FRAME

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._content_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request has arrived whole."""
        if self.parser.should_upgrade():
            return
        self._in_body = False
        self._for_rest.end()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of the request, and for the client to take the answer, only so long."""
        super().on_response_complete()
        if self._in_body:
            self._for_rest.begin()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._for_reader.begin()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, whose client may have left the last answer unread."""
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            self._for_reader.begin()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._for_reader.begin()

    def resume_writing(self) -> None:
        """Go on, since it does."""
        super().resume_writing()
        self._for_reader.end()

    def _refused_head(self) -> GatewayError | None:
        refusal = refused_head(self.url, self.headers, self.parser.get_http_version())
        if refusal is not None:
            return refusal
        # Of what arrived with the head, a part may be body.
        if self._head_bytes > self._bounds.head_bytes < head_size(self.url, self.headers):
            return self._too_large()
        return None

    def _too_large(self) -> GatewayError:
        if self._in_head and not self.headers and len(self.url) > LONGEST_URL:
            return UrlTooLong(sentence("The URL is longer than {longest_url} bytes.", longest_url=LONGEST_URL))
        return HeadersTooLarge(
            sentence("The request's head is larger than {head_bytes} bytes.", head_bytes=self._bounds.head_bytes)
        )

    def _refuse(self, error: GatewayError) -> None:
        self._refusal = error
        self.send_400_response(error.title)

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that was not read, with a problem document, and close the connection."""
        error = self._refusal or MalformedRequest("The request is not HTTP.")
        request_id = secrets.token_hex(16)
        log.warning("request_refused_unread", request_id=request_id, status=error.status, reason=msg or error.title)
        # The server's own type leaves out that there is none before the first request.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and not cycle.response_complete:
            if not self._in_body or cycle.response_started or self.pipeline:
                # What was written now would be taken for the answer to an earlier request, or for a part of one.
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        response = problem_response(error, path="/", request_id=request_id)
        headers = [
            *response.raw_headers,
            *security_headers(response.raw_headers),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        lines = [b"%b: %b\r\n" % each for each in headers]
        self.transport.write(b"".join([STATUS_LINE[error.status], *lines, b"\r\n", bytes(response.body)]))
        self.transport.close()
