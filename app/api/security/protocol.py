"""The HTTP server's protocol with bounds that the parser does not have: on heads, and on patience with clients."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import structlog
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.api.coalescing import coalescing
from app.api.entrance.first_step import FirstStep, Reply
from app.api.problems import problem_response
from app.api.security.headers import lines_of, security_headers
from app.errors import GatewayError, HeadersTooLarge, MalformedRequest, UrlTooLong
from app.outbox import Outbox

log = structlog.get_logger("app.access")

_LONGEST_URL = 8192
_MOST_HEADERS = 100
_MOST_IN_ONE_GO = 16


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may ask of a connection.

    Args:
        head_bytes: the largest head, the URL and all headers together.
        head_seconds: how long a head may take to arrive, and the rest of a body that is not wanted any more.
        stall_seconds: how long a client may leave unread what it is sent.
    """

    head_bytes: int
    head_seconds: float
    stall_seconds: float


class _Refused(Exception):
    """Ends the parsing of a head."""


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
    """Refuses heads that are too large with problem documents, and cuts off clients that keep it waiting.

    A request that the application answers in its first step gets no task. For the server it is like any other in every
    other respect; where it could not be, the first step is not taken here.

    Three waits are bounded: for a head, from the connection or its first byte on; for the rest of a body, once the
    request has been answered without it; and for a client to read what it was sent.
    """

    def __init__(self, *arguments: Any, bounds: Bounds, outbox: Outbox, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._bounds = bounds
        self._outbox = outbox
        self._in_head = self._in_body = self._begun = False
        self._head_bytes = self._chunk_bytes = self._in_one_go = 0
        self._refusal: GatewayError | None = None
        self._reply: Reply | None = None
        # Where the server writes an access log of its own, it is to hear of every request.
        self._first_step: FirstStep | None = None if self.config.access_log else getattr(self.app, "first_step", None)
        self._for_head = _Patience(bounds.head_seconds, self._abort)
        self._for_rest = _Patience(bounds.head_seconds, self._abort)
        self._for_reader = _Patience(bounds.stall_seconds, self._abort)

    def _abort(self) -> None:
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(coalescing(transport, self._outbox))
        self._for_head.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        for patience in (self._for_head, self._for_rest, self._for_reader):
            patience.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, as long as it stays within the bounds."""
        self._chunk_bytes = len(data)
        self._in_one_go = 0
        self._head_bytes += len(data) if self._in_head else 0
        self._begun = self._in_head or self._in_body
        super().data_received(data)
        if self._in_head and self._head_bytes > self._bounds.head_bytes and not self.transport.is_closing():
            self._refusal = self._too_large()
            self.send_400_response("")
        elif self._in_head or not self._begun:
            # Part of a head, or blank lines before one.
            self._for_head.begin()

    def on_message_begin(self) -> None:
        """Note that a head begins; what came with it counts as part of it until it is known better."""
        super().on_message_begin()
        self._in_head = self._begun = True
        self._head_bytes = self._chunk_bytes

    def on_headers_complete(self) -> None:
        """Look at a head that is complete before anything is done with it."""
        self._for_head.end()
        self._in_head, self._in_body = False, True
        if (refusal := self._refused_head()) is not None:
            self._refusal = refusal
            raise _Refused
        self._reply = self._at_hand()
        if self._reply is None:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that a request has arrived whole."""
        self._in_body = False
        self._for_rest.end()
        if self._reply is None:
            super().on_message_complete()
        else:
            self._send(self._reply)
            self._reply = None

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

    def _at_hand(self) -> Reply | None:
        """Return the answer to a request that needs no task: nothing stands before it, and all it takes is there."""
        if self._first_step is None or not self._is_idle() or not self.parser.should_keep_alive():
            return None
        # Whoever sends many requests in one go takes turns with the other connections.
        if self._in_one_go >= _MOST_IN_ONE_GO:
            return None
        path, _, query = self.url.partition(b"?")
        if b"%" in path or b"#" in self.url or not self.url.isascii() or self.parser.get_http_version() != "1.1":
            return None
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["path"] = self.root_path + path.decode("ascii")
        self.scope["query_string"] = query
        return self._first_step.answer(cast("Scope", self.scope))

    def _is_idle(self) -> bool:
        # The server's own type leaves out that there is none before the first request.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        under_way = cycle is not None and not cycle.response_complete
        return not (under_way or self.flow.write_paused or self.transport.is_closing())

    def _send(self, reply: Reply) -> None:
        message = reply.message
        self._in_one_go += 1
        given = lines_of(self.server_state.default_headers)
        self.transport.write(b"".join([STATUS_LINE[message.status], given, reply.lines, b"\r\n", message.body]))
        self.on_response_complete()

    def _refused_head(self) -> GatewayError | None:
        if len(self.url) > _LONGEST_URL:
            return UrlTooLong(f"The URL is longer than {_LONGEST_URL} bytes.")
        if len(self.headers) > _MOST_HEADERS:
            return HeadersTooLarge(f"There are more than {_MOST_HEADERS} headers.")
        if self._head_bytes > self._bounds.head_bytes and self._exact_bytes() > self._bounds.head_bytes:
            return self._too_large()
        return None

    def _exact_bytes(self) -> int:
        """Return the size of a head that is complete, without what came behind it."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _too_large(self) -> GatewayError:
        if not self.headers and len(self.url) > _LONGEST_URL:
            return UrlTooLong(f"The URL is longer than {_LONGEST_URL} bytes.")
        return HeadersTooLarge(f"The request's head is larger than {self._bounds.head_bytes} bytes.")

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that was not read, with a problem document, and close the connection."""
        error = self._refusal or MalformedRequest("The request is not HTTP.")
        request_id = secrets.token_hex(16)
        response = problem_response(error, path="/", request_id=request_id)
        headers = [
            *response.raw_headers,
            *security_headers(response.raw_headers),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        self.transport.write(b"".join([STATUS_LINE[error.status], lines_of(headers), b"\r\n", bytes(response.body)]))
        log.warning("request_refused_unread", request_id=request_id, status=error.status, reason=msg or error.title)
        self.transport.close()
