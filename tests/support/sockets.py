"""The real application on a real socket, and clients that write requests byte by byte."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.tenants import KEY


@asynccontextmanager
async def served(app: ASGIApp, http: Any = "auto", **options: Any) -> AsyncIterator[int]:
    """Serve an application on loopback, with a protocol and options of the server's if need be; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, proxy_headers=False, timeout_graceful_shutdown=5, http=http, **options
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def asking(
    port: int, method: str, path: str, *headers: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Begin a request; its body, if it has one, is up to the caller."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", f"X-API-Key: {KEY}", *headers, "", ""]).encode()
        )
        await writer.drain()
        yield reader, writer
    finally:
        writer.close()


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read an answer: its status and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(head.split()[1]), await reader.readexactly(int(length.partition(b":")[2]))


class Finished:
    """Wraps an application and tells when it is done with a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.event = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                self.event.set()


async def turn() -> None:
    """Let everyone else work."""
    await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that others bring about."""
    async with asyncio.timeout(10):
        while not condition():
            await turn()
