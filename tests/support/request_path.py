"""The way of one cold read through `app`: `python -m tests.support.request_path` prints it, module by module."""

import asyncio
import sys
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from starlette.types import ASGIApp, Message, Scope

import app
from tests.support.running import make_app
from tests.support.tenants import KEY, make_tenant

_TRACED = ContextVar("traced", default=False)
_HOUSE = f"{Path(app.__file__).parent}/"
_BODY = (
    b"<maillist><item><id>1</id><subject>News</subject><description/><count>2</count><status>enabled</status></item>"
    b"</maillist>"
)
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


@dataclass
class RequestPath:
    """The modules entered, in the order in which they were entered."""

    entered: list[str] = field(default_factory=list)
    _begun: set[FrameType] = field(default_factory=set)

    @property
    def modules(self) -> list[str]:
        return list(dict.fromkeys(self.entered))

    @property
    def switches(self) -> int:
        return len(self.entered) - 1

    def on_event(self, frame: FrameType, event: str, _argument: Any) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(_HOUSE) and _TRACED.get() and frame not in self._begun:
            # A coroutine that goes on after waiting is not entered again.
            self._begun.add(frame)
            module = name.removeprefix(_HOUSE).removesuffix(".py").replace("/", ".")
            if not self.entered or self.entered[-1] != module:
                self.entered.append(module)


async def _ask(application: ASGIApp, path: str) -> int:
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"gateway"), (b"authorization", f"Bearer {KEY}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    status = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    await application(scope, receive, send)
    return status


async def trace_cold_read() -> RequestPath:
    """Ask for the lists once, with nothing cached and no connection open to the platform.

    What other tasks do meanwhile is left out, and so is what the framework makes for the first request of all.
    """
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_REPLY)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    platform = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = platform.sockets[0].getsockname()[1]
    tenant = make_tenant(base_url=f"http://127.0.0.1:{port}/mm-ms/apinew/")
    application = make_app([tenant], cache_lifetimes={})
    path = RequestPath()
    async with platform, application.router.lifespan_context(application):
        await _ask(application, "/healthz")
        before = sys.getprofile()
        _TRACED.set(True)
        sys.setprofile(path.on_event)
        try:
            status = await _ask(application, "/v1/lists")
        finally:
            sys.setprofile(before)
    await over.wait()
    if status != 200:
        raise RuntimeError(f"answered with {status}")
    return path


def main() -> None:
    """Print the way."""
    path = asyncio.run(trace_cold_read())
    for module in path.entered:
        print(module)  # noqa: T201 - a command
    print(f"{len(path.modules)} modules entered, {path.switches} switches")  # noqa: T201


if __name__ == "__main__":
    main()
