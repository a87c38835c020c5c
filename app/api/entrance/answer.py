"""The answer on its way out: what every answer carries, and what is known of it afterwards."""

import time

from starlette.types import Message, Send

from app.api.security.headers import Headers, security_headers
from app.api.timing import server_timing
from app.gateway.context import RequestContext


class Answer:
    """Passes an answer on with the headers that every answer has.

    Args:
        send: takes it.
        context: of the request.
    """

    __slots__ = ("_context", "_send", "_started", "aborted", "headers", "status")

    def __init__(self, send: Send, context: RequestContext) -> None:
        self._send = send
        self._context = context
        self._started = time.perf_counter()
        self.headers: Headers = ()
        """Further headers."""
        self.status = 0
        """The status, once the answer has begun."""
        self.aborted: str | None = None
        """Why it broke off."""

    def seconds(self) -> float:
        """Return how long the request has been under way."""
        return time.perf_counter() - self._started

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", ())
            message["headers"] = [*security_headers(given), *given, *self.headers, *self._own()]
        await self._send(message)

    def _own(self) -> Headers:
        context = self._context
        identity = identity_headers(context)
        if not context.upstream_calls:
            return identity
        timing = server_timing(context, self.seconds())
        return (*identity, (b"server-timing", timing.encode("latin-1")))


def identity_headers(context: RequestContext) -> Headers:
    """Write by which names a request is found again."""
    return (
        (b"x-request-id", context.request_id.encode("latin-1")),
        (b"traceparent", context.traceparent.encode("latin-1")),
    )
