"""Receivers of webhooks, each of which behaves in its own way."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.servers import serving


@dataclass
class ReceivedDelivery:
    """A request as a receiver got it."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        """The event in it."""
        found: dict[str, Any] = json.loads(self.body)
        return found


Answer = Callable[[ReceivedDelivery], Awaitable[str]]


async def accepts(_delivery: ReceivedDelivery) -> str:
    """Take everything."""
    return "200 OK"


async def hangs(_delivery: ReceivedDelivery) -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return ""


@dataclass
class Receivers:
    """Receivers by the paths of their URLs."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    received: list[ReceivedDelivery] = field(default_factory=list)

    def at(self, path: str) -> list[ReceivedDelivery]:
        """Return what has come to a path."""
        return [each for each in self.received if each.path == path]

    def make(self, path: str, answer: Answer = accepts) -> str:
        """Have a path answered; return its URL."""
        self.answers[path] = answer
        return f"{self.url}{path}"


@asynccontextmanager
async def receiving() -> AsyncIterator[Receivers]:
    """Run receivers on loopback."""
    receivers = Receivers()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            assert sum(line.lower().startswith("content-length:") for line in head) == 1
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            delivery = ReceivedDelivery(head[0].split()[1], headers, body, asyncio.get_running_loop().time())
            receivers.received.append(delivery)
            status = await receivers.answers[delivery.path](delivery)
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()

    async with serving(behave) as base:
        receivers.url = base.removesuffix("/mm-ms/apinew/")
        yield receivers
