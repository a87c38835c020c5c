"""A gateway whose entrance is reached in several ways at once, and clients that compare byte by byte."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.entrance.first_step import TAKEN
from app.api.security.protocol import BoundedProtocol, Bounds
from app.outbox import Outbox
from tests.support.sockets import served

_PASSING = re.compile(
    rb"(?<=\r\ndate: )[^\r]+|(?<=\r\nage: )\d+|(?<=ttl=)\d+|(?<=;r=)\d+|(?<=;t=)\d+"
    rb"|(?<=\r\nserver-timing: )[^\r]+|(?<=\r\nretry-after: )\d+"
    rb'|(?<=\r\nx-request-id: )[0-9a-f]{32}|(?<="request_id":")[0-9a-f]{32}'
    rb"|(?<=\r\ntraceparent: 00-)[0-9a-f]{32}-[0-9a-f]{16}"
)


class Asked:
    """Passes requests on to the application, and counts them: those that the protocol answers do not come here.

    Args:
        app: the application.
        in_protocol: whether the protocol may take the first step.
        in_entrance: whether the entrance may.
    """

    def __init__(self, app: FastAPI, *, in_protocol: bool, in_entrance: bool) -> None:
        self._app: ASGIApp = app
        self._in_entrance = in_entrance
        self.first_step = app.first_step if in_protocol else None  # type: ignore[attr-defined]
        self.times = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.times += 1
        if not self._in_entrance:
            scope["state"][TAKEN] = True
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class Way:
    """A port of the gateway, and how often a request that came to it has reached the application."""

    port: int
    asked: Asked


@dataclass(frozen=True)
class Ways:
    """The ways to one application.

    Args:
        short: the protocol takes the first step.
        middle: the entrance does.
        long: nobody does.
    """

    short: Way
    middle: Way
    long: Way


def protocol() -> Any:
    """Return the server's protocol as it is used, and patient."""
    return partial(BoundedProtocol, bounds=Bounds(16_384, 60, 60), outbox=Outbox())


@asynccontextmanager
async def all_ways(app: FastAPI) -> AsyncIterator[Ways]:
    """Serve an application in all ways."""
    kinds = ((True, True), (False, True), (False, False))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        ways = []
        for in_protocol, in_entrance in kinds:
            asked = Asked(app, in_protocol=in_protocol, in_entrance=in_entrance)
            serving = served(asked, protocol(), lifespan="off", access_log=False)
            ways.append(Way(await stack.enter_async_context(serving), asked))
        yield Ways(*ways)


async def answer(reader: asyncio.StreamReader, *, to_head: bool = False) -> bytes:
    """Read one answer whole; of what passes, like dates and ids, only the form is kept."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        return ended.partial
    length = re.search(rb"\r\ncontent-length: (\d+)", head)
    body = await reader.readexactly(int(length[1])) if length and not to_head else b""
    return _PASSING.sub(b"~", head + body)


async def answers(port: int, *pieces: bytes) -> list[bytes]:
    """Send pieces, each by itself, and then nothing more; return the answers until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    try:
        async with asyncio.timeout(20):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            while part := await answer(reader, to_head=b"HEAD " in b"".join(pieces)):
                found.append(part)
    finally:
        writer.transport.abort()
    return found


async def one_by_one(way: Way, requests: list[bytes]) -> list[bytes]:
    """Send each request when the one before has been answered; return the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    found = []
    try:
        async with asyncio.timeout(20):
            for request in requests:
                writer.write(request)
                found.append(await answer(reader))
    finally:
        writer.transport.abort()
    return found
