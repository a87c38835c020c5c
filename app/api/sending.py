"""Answers on their way out: the headers that all of them carry, and how long they took."""

import time

from starlette.types import Message, Send

from app.api.security_headers import Headers, security_headers
from app.gateway.context import RequestContext

_LISTED = 10


class HeadAnswered(Exception):
    """A request for the head alone has been answered; whatever would write the body has nothing left to do."""


class AnswerSender:
    """Sends an answer with the headers that every answer has; `aborted` says why it broke off, if it did."""

    __slots__ = ("_context", "_head_only", "_send", "_started", "aborted", "headers", "status")

    def __init__(self, send: Send, context: RequestContext, *, head_only: bool = False) -> None:
        self._head_only = head_only
        self._send = send
        self._context = context
        self._started = time.perf_counter()
        self.headers: Headers = ()
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
            message["headers"] = [*security_headers(given), *given, *self.headers, *self._own()]
        await self._send(message)
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


def server_timing(context: RequestContext, seconds: float) -> str:
    """Write `Server-Timing`: a metric for each call to the platform, and the whole."""
    calls = [
        f'upstream;dur={call.seconds * 1000:.1f};desc="{call.operation} {call.outcome} try {call.attempt}"'
        for call in context.upstream_calls[:_LISTED]
    ]
    return ", ".join([*calls, f"total;dur={seconds * 1000:.1f}"])
