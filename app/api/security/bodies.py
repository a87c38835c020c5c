"""Bodies of requests: in no encoding but their own, and not slower than a body can be expected to come."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import refuse
from app.errors import MalformedRequest, UnsupportedMediaType

_BODIES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SLOWEST = 1000.0
"""Bytes a second."""


class RequestBodyMiddleware:
    """Refuses compressed bodies, and bodies that keep the gateway waiting.

    Args:
        app: the application.
        patience: seconds that a body may keep the gateway waiting in all, to which each thousand bytes add one.
    """

    def __init__(self, app: ASGIApp, *, patience: float) -> None:
        self._app = app
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or scope["method"] not in _BODIES:
            await self._app(scope, receive, send)
        elif _is_encoded(scope):
            error = UnsupportedMediaType("Bodies are taken without Content-Encoding only.")
            await refuse(error, scope, receive, send)
        else:
            await self._app(scope, _Arriving(receive, self._patience).receive, send)


def _is_encoded(scope: Scope) -> bool:
    return any(
        name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}
        for name, value in scope["headers"]
    )


class _Arriving:
    def __init__(self, receive: Receive, patience: float) -> None:
        self._receive = receive
        self._left = patience
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:
            # What is waited for now is the client's going away.
            return await self._receive()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._left):
                message = await self._receive()
        except TimeoutError:
            raise MalformedRequest("The body comes too slowly.", headers={"Connection": "close"}) from None
        self._left += len(message.get("body", b"")) / _SLOWEST - (loop.time() - began)
        self._whole = not message.get("more_body", False)
        return message
