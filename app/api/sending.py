"""Answers on their way out: the headers that all of them carry, and how long they took."""

import asyncio
import gzip
import time
from collections.abc import Iterable, Sequence

from starlette.types import Message, Send

from app.api.negotiation import prefers_gzip
from app.api.rate_limits import ratelimit_headers
from app.api.request_head import RequestHead
from app.gateway.context import RequestContext

Headers = tuple[tuple[bytes, bytes], ...]

_POLICY = b"content-security-policy"
_OF_PAGES: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_OF_DATA: Headers = (*_OF_PAGES, (_POLICY, b"default-src 'none'; frame-ancestors 'none'"))


def security_headers(given: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return what is to be added to an answer's headers; a page that has a policy of its own keeps it."""
    return _OF_PAGES if any(name == _POLICY for name, _ in given) else _OF_DATA


Header = tuple[bytes, bytes]

_LEAST = 1024
_LARGE = 64 * 1024
_LEVEL = 1
"""A twentieth larger than the usual level, in a third of the time."""


def is_worth_compressing(headers: Sequence[Header]) -> bool:
    """Tell whether an answer is JSON of a kibibyte or more, in one piece and not encoded yet."""
    fields = dict(headers)
    return (
        fields.get(b"content-type") == b"application/json"
        and int(fields.get(b"content-length", b"0")) >= _LEAST
        and b"content-encoding" not in fields
    )


async def compressed(body: bytes) -> bytes:
    """Compress a body; a large one where it does not stop the loop."""
    if len(body) < _LARGE:
        return gzip.compress(body, _LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)


def encoded(headers: Sequence[Header], length: int) -> list[Header]:
    """Return the headers of the same answer in gzip; its entity tag is a weak one, since its bytes are others."""
    changed = {b"content-length": b"%d" % length}
    kept = [(name, weak(value) if name == b"etag" else changed.get(name, value)) for name, value in headers]
    return [*kept, (b"content-encoding", b"gzip")]


def weak(tag: bytes) -> bytes:
    """Return the weak form of an entity tag."""
    return tag if tag.startswith(b"W/") else b"W/" + tag


def with_vary(headers: Sequence[Header]) -> list[Header]:
    """Return headers that tell caches of the request's `Accept-Encoding`."""
    given = b", ".join(value for name, value in headers if name == b"vary")
    if b"accept-encoding" in given.lower():
        return list(headers)
    others = [each for each in headers if each[0] != b"vary"]
    return [*others, (b"vary", b", ".join([*filter(None, [given]), b"Accept-Encoding"]))]


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
        """Send a message; raises `HeadAnswered` where nothing else is wanted."""
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
