"""Answers on their way out: the headers that all of them carry, and how long they took."""

import time
from collections.abc import Sequence

from starlette.types import Message, Send

from app.api.compression import Header, compressed, encoded, is_worth_compressing, with_vary
from app.api.negotiation import prefers_gzip
from app.api.rate_limits import ratelimit_headers
from app.api.request_head import RequestHead
from app.api.security_headers import Headers, security_headers
from app.gateway.context import RequestContext

_LISTED = 10


class HeadAnswered(Exception):
    """A request for the head alone has been answered; whatever would write the body has nothing left to do."""


class AnswerSender:
    """Sends an answer with the headers that every answer has, in gzip where that pays and the request prefers it.

    `aborted` says why the answer broke off, if it did.
    """

    __slots__ = ("_context", "_head", "_head_only", "_held", "_send", "_started", "aborted", "status")

    def __init__(self, send: Send, context: RequestContext, head: RequestHead, *, head_only: bool = False) -> None:
        self._head = head
        self._head_only = head_only
        self._send = send
        self._context = context
        self._started = time.perf_counter()
        self._held: Message | None = None
        self.status = 0
        self.aborted: str | None = None

    def seconds(self) -> float:
        """Return how long the request has been under way."""
        return time.perf_counter() - self._started

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            HeadAnswered: nothing else is wanted.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", ())
            if root_path := self._context.root_path.encode():
                given = [(name, _below(root_path, name, value)) for name, value in given]
            if is_worth_compressing(given):
                given = with_vary(given)
                if prefers_gzip(b",".join(self._head.all(b"accept-encoding")).decode("latin-1")):
                    self._held = {**message, "headers": given}
                    return
            await self._begin(message, given)
        elif self._held is not None:
            start, self._held = self._held, None
            body = await compressed(message["body"])
            await self._begin(start, encoded(start["headers"], len(body)))
            await self._send({**message, "body": body})
        else:
            await self._send(message)

    async def _begin(self, start: Message, headers: Sequence[Header]) -> None:
        start["headers"] = [
            *security_headers(headers),
            *headers,
            *ratelimit_headers(self._context.quotas),
            *self._own(),
        ]
        await self._send(start)
        if self._head_only:
            await self._send({"type": "http.response.body", "body": b""})
            raise HeadAnswered

    def _own(self) -> Headers:
        context = self._context
        identity = (
            (b"x-request-id", context.request_id.encode("latin-1")),
            (b"traceparent", context.traceparent.encode("latin-1")),
        )
        if not context.upstream_calls:
            return identity
        return (*identity, (b"server-timing", server_timing(context, self.seconds()).encode("latin-1")))


def _below(root_path: bytes, name: bytes, value: bytes) -> bytes:
    """Put the path that clients see in front of the paths in a header; answers are made and cached without it."""
    match name:
        case b"location" if value.startswith(b"/"):
            return root_path + value
        case b"link":
            return value.replace(b"</", b"<" + root_path + b"/")
        case _:
            return value


def server_timing(context: RequestContext, seconds: float) -> str:
    """Write `Server-Timing`: a metric for each call to the platform, and the whole."""
    calls = [
        f'upstream;dur={call.seconds * 1000:.1f};desc="{call.operation} {call.outcome} try {call.attempt}"'
        for call in context.upstream_calls[:_LISTED]
    ]
    return ", ".join([*calls, f"total;dur={seconds * 1000:.1f}"])
