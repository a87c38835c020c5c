"""Bodies of requests: not too large, in no encoding but their own, and not slower than can be expected."""

import asyncio

from starlette.types import Message, Receive

from app.api.request_head import RequestHead
from app.errors import GatewayError, MalformedRequest, Overloaded, PayloadTooLarge, UnsupportedMediaType
from app.policies.shedding import Shedder
from app.texts import sentence

_SLOWEST = 1000.0
"""Bytes a second."""
_SLOW_AFTER = 1.0
"""Seconds after which a body that is not whole is the first to go when the gateway is full."""
_CLOSE = {"Connection": "close"}


class BodyBounds:
    """Keeps bodies within bounds.

    Args:
        patience: seconds that a body may keep the gateway waiting in all, to which each thousand bytes add one.
    """

    def __init__(self, *, max_bytes: int, max_large_bytes: int, patience: float, shedder: Shedder) -> None:
        self._max_bytes = max_bytes
        self._max_large_bytes = max_large_bytes
        self._patience = patience
        self._shedder = shedder

    def bounded(self, head: RequestHead, receive: Receive, *, large: bool = False) -> Receive:
        """Return what receives a request's body within the bounds.

        It raises `PayloadTooLarge` once more has come than may, `MalformedRequest` for a body that comes too slowly,
        and `Overloaded` for one that is given up.

        Raises:
            PayloadTooLarge: the body announces to be larger than it may be.
            UnsupportedMediaType: the body is compressed.
        """
        length = head.get(b"content-length")
        if length is None and head.get(b"transfer-encoding") is None:
            return receive
        limit = self._max_large_bytes if large else self._max_bytes
        if length and length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        if any(value.strip().lower() not in {b"", b"identity"} for value in head.all(b"content-encoding")):
            raise UnsupportedMediaType("Bodies are taken without Content-Encoding only.")
        return _Arriving(receive, limit, self._patience, self._shedder).receive


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(sentence("The body is larger than {limit} bytes.", limit=limit))


class _Arriving:
    def __init__(self, receive: Receive, limit: int, patience: float, shedder: Shedder) -> None:
        self._receive = receive
        self._limit = limit
        self._patience = patience
        self._shedder = shedder
        self._received = 0
        self._whole = False
        self._given_up = False
        self._slow_at = asyncio.get_running_loop().time() + _SLOW_AFTER

    async def receive(self) -> Message:
        if self._whole:
            # What is waited for now is the client's going away.
            return await self._receive()
        message = await self._in_time()
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise _too_large(self._limit)
        self._whole = not message.get("more_body", False)
        return message

    async def _in_time(self) -> Message:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._patience) as waiting:
                slow = loop.call_at(self._slow_at, self._shedder.body_is_slow, self, lambda: self._give_up(waiting))
                try:
                    message = await self._receive()
                finally:
                    slow.cancel()
                    self._shedder.body_is_done(self)
        except TimeoutError:
            raise self._refusal() from None
        self._patience += len(message.get("body", b"")) / _SLOWEST - (loop.time() - began)
        return message

    def _give_up(self, waiting: asyncio.Timeout) -> None:
        self._given_up = True
        waiting.reschedule(asyncio.get_running_loop().time())

    def _refusal(self) -> GatewayError:
        if self._given_up:
            return Overloaded(
                "The body comes slowly, and its place was needed.", headers={"Retry-After": "5", **_CLOSE}
            )
        return MalformedRequest("The body comes too slowly.", headers=_CLOSE)
