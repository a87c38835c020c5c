"""Bodies of requests: not too large, in no encoding but their own, and not slower than can be expected."""

import asyncio
from collections.abc import Mapping

from starlette.routing import compile_path
from starlette.types import Message, Receive, Scope

from app.api.entrance.head import RequestHead
from app.errors import MalformedRequest, PayloadTooLarge, UnsupportedMediaType

_BODIES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SLOWEST = 1000.0
"""Bytes a second."""


class BodyBounds:
    """Keeps bodies within bounds.

    Args:
        max_bytes: the largest body.
        exceptions: the largest body of certain paths, by their template.
        patience: seconds that a body may keep the gateway waiting in all, to which each thousand bytes add one.
    """

    def __init__(self, *, max_bytes: int, exceptions: Mapping[str, int], patience: float) -> None:
        self._max_bytes = max_bytes
        self._exceptions = [(compile_path(template)[0], limit) for template, limit in exceptions.items()]
        self._patience = patience

    def check_length(self, scope: Scope, head: RequestHead) -> None:
        """Look at the length that a request announces.

        Raises:
            PayloadTooLarge: it is over the limit.
        """
        length = head.get(b"content-length")
        if length and length.isdigit() and int(length) > (limit := self._limit(scope)):
            raise _too_large(limit)

    def bounded(self, scope: Scope, head: RequestHead, receive: Receive) -> Receive:
        """Return what receives a request's body within the bounds.

        It raises `PayloadTooLarge` once more has come than may, and `MalformedRequest` for one that comes too slowly.

        Raises:
            PayloadTooLarge: the body announces to be larger than it may be.
            UnsupportedMediaType: the body is compressed.
        """
        self.check_length(scope, head)
        if scope["method"] not in _BODIES:
            return _Arriving(receive, self._limit(scope), None).receive
        if any(value.strip().lower() not in {b"", b"identity"} for value in head.all(b"content-encoding")):
            raise UnsupportedMediaType("Bodies are taken without Content-Encoding only.")
        return _Arriving(receive, self._limit(scope), self._patience).receive

    def _limit(self, scope: Scope) -> int:
        return next((limit for path, limit in self._exceptions if path.match(scope["path"])), self._max_bytes)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit} bytes.")


class _Arriving:
    def __init__(self, receive: Receive, limit: int, patience: float | None) -> None:
        self._receive = receive
        self._limit = limit
        self._patience = patience
        self._received = 0
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:
            # What is waited for now is the client's going away.
            return await self._receive()
        message = await self._receive() if self._patience is None else await self._in_time(self._patience)
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise _too_large(self._limit)
        self._whole = not message.get("more_body", False)
        return message

    async def _in_time(self, patience: float) -> Message:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(patience):
                message = await self._receive()
        except TimeoutError:
            raise MalformedRequest("The body comes too slowly.", headers={"Connection": "close"}) from None
        self._patience = patience + len(message.get("body", b"")) / _SLOWEST - (loop.time() - began)
        return message
