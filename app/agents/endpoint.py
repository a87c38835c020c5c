"""`POST /mcp`, where agents ask for tools. What answers is loaded with the first request: it takes 30 MB."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import structlog
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from app.api.audit import AGENTS
from app.api.strict_json import read_strict_json

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.routing import BaseRoute


log = structlog.get_logger(__name__)


class AgentEndpoint:
    """Answers agents; between two requests nothing is kept of either. None may be larger than `most_bytes`."""

    def __init__(self, *, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.route = Route(AGENTS, self, methods=["POST"], name="agents", include_in_schema=False)
        self._serving: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[StreamableHTTPSessionManager] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["route"] = self.route
        body = await _whole(receive)
        if body is None:
            return
        # What the library reads next is bounded, and every reader understands it alike.
        await read_strict_json(body)
        if self._ready is None or (self._ready.done() and self._ready.exception()):
            self._ready = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._serve(self._ready, scope["app"].routes))
        manager = await asyncio.shield(self._ready)
        await manager.handle_request(scope, _again(body, receive), send)

    async def _serve(self, ready: "asyncio.Future[StreamableHTTPSessionManager]", routes: "list[BaseRoute]") -> None:
        try:
            # The library takes most of a second to load, in which the loop goes on.
            await asyncio.to_thread(import_module, "mcp.server.lowlevel")
            from app.agents.server import build_manager  # noqa: PLC0415 - only gateways that agents ask need it

            manager = await build_manager(routes, most_bytes=self._most_bytes)
        except Exception as error:
            log.exception("agents_not_loaded")
            ready.set_exception(error)
            return
        async with manager.run():
            ready.set_result(manager)
            await asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """End what was begun, afterwards."""
        try:
            yield
        finally:
            if self._serving is not None:
                self._serving.cancel()
                await asyncio.gather(self._serving, return_exceptions=True)
                self._serving = self._ready = None


async def _whole(receive: Receive) -> bytes | None:
    """Return a request's body; None if the client goes away before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was received once more, and then what comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
