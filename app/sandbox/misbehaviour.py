"""Acting faults out on the wire."""

import asyncio
import contextlib
import itertools
import os
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aiohttp import web

from app.sandbox.dialect import HTML, SandboxReply
from app.sandbox.faults import Fault
from app.sandbox.habits import HABITS

_MAINTENANCE = (
    "<!DOCTYPE html>\n<html><head><title>系统维护</title></head><body><h1>系统维护中，请稍后再试<br></body></html>\n"
)
_CRASH = (
    "<html><head><title>500 Internal Server Error</title></head><body><center><h1>500</h1><hr>nginx</center></html>\n"
)
_BOMB_LEVELS = "abcdefghi"
_HUGE_RECORD = (
    b"<addr><id>90000001</id><address>reader@example.com</address><area>" + b"x" * 4000 + b"</area></addr>\r\n"
)
_TWO_CLOSING_TAGS = re.compile(r"(</[^<>]+>)(?=\s*</)")
_UNKNOWN_ELEMENT = '\\1<new_in_v20 unit="piece"><inner>1</inner><inner>2</inner></new_in_v20>'
_MISSING_BYTES = 512


@dataclass(frozen=True)
class Exchange:
    """One call on the wire: the request, the fault it meets, and how to have it processed or refused."""

    request: web.Request
    fault: Fault
    process: Callable[[], SandboxReply]
    refuse: Callable[[], SandboxReply]
    stopping: asyncio.Event

    async def pause(self, seconds: float | None) -> None:
        """Wait, ``None`` without an end; the sandbox's own stop ends every wait."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)


Behaviour = Callable[[Exchange], Awaitable[web.StreamResponse]]


def to_response(reply: SandboxReply) -> web.Response:
    headers = {"Content-Type": reply.content_type, **reply.headers}
    return web.Response(body=reply.body, status=reply.status, headers=headers)


async def misbehave(exchange: Exchange) -> web.StreamResponse:
    """Act out an exchange's fault."""
    if exchange.fault.delay and exchange.fault.kind not in {"drip", "hang_before", "hang_after"}:
        await exchange.pause(exchange.fault.delay)
    kind = exchange.fault.kind
    if kind in HABITS:
        return to_response(HABITS[kind](exchange.process()))
    return await BEHAVIOURS[kind](exchange)


async def _latency(exchange: Exchange) -> web.StreamResponse:
    return to_response(exchange.process())


async def _status(exchange: Exchange) -> web.StreamResponse:
    fault = exchange.fault
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return web.Response(status=fault.status, text=f"HTTP {fault.status}\n", headers=headers)


async def _html_200(_exchange: Exchange) -> web.StreamResponse:
    return to_response(SandboxReply(_MAINTENANCE.encode()))


async def _html_500(_exchange: Exchange) -> web.StreamResponse:
    return to_response(SandboxReply(_CRASH.encode(), status=500))


async def _reset_before(exchange: Exchange) -> web.StreamResponse:
    return _reset(exchange.request)


async def _reset_after(exchange: Exchange) -> web.StreamResponse:
    exchange.process()
    return _reset(exchange.request)


async def _close_after(exchange: Exchange) -> web.StreamResponse:
    exchange.process()
    _close(exchange.request)
    return web.Response()


async def _hang_before(exchange: Exchange) -> web.StreamResponse:
    await exchange.pause(exchange.fault.delay or None)
    _close(exchange.request)
    return web.Response()


async def _hang_after(exchange: Exchange) -> web.StreamResponse:
    exchange.process()
    return await _hang_before(exchange)


async def _drip(exchange: Exchange) -> web.StreamResponse:
    reply = exchange.process()
    response = await _begin(exchange.request, reply, len(reply.body))
    for byte in reply.body:
        await response.write(bytes([byte]))
        await exchange.pause(exchange.fault.delay)
    return response


async def _truncate(exchange: Exchange) -> web.StreamResponse:
    reply = exchange.process()
    response = await _begin(exchange.request, reply, len(reply.body) + _MISSING_BYTES)
    await response.write(reply.body)
    _close(exchange.request)
    return response


async def _cut_xml(exchange: Exchange) -> web.StreamResponse:
    reply = exchange.process()
    return to_response(SandboxReply(reply.body[: len(reply.body) * 2 // 3], reply.content_type))


async def _gbk(exchange: Exchange) -> web.StreamResponse:
    text = exchange.process().body.decode().replace('encoding="UTF-8"', 'encoding="GBK"', 1)
    return to_response(SandboxReply(text.encode("gbk", errors="replace"), "text/html"))


async def _bom(exchange: Exchange) -> web.StreamResponse:
    reply = exchange.process()
    return to_response(SandboxReply(b"\xef\xbb\xbf\r\n\r\n" + reply.body, reply.content_type))


async def _garbage(_exchange: Exchange) -> web.StreamResponse:
    return to_response(SandboxReply(bytes((number * 167 + 211) % 256 for number in range(2048))))


async def _entity_bomb(_exchange: Exchange) -> web.StreamResponse:
    entities = [f'<!ENTITY {_BOMB_LEVELS[0]} "lol">'] + [
        f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in itertools.pairwise(_BOMB_LEVELS)
    ]
    text = f'<?xml version="1.0"?><!DOCTYPE data [{"".join(entities)}]><data>&{_BOMB_LEVELS[-1]};</data>'
    return to_response(SandboxReply(text.encode()))


async def _unknown_elements(exchange: Exchange) -> web.StreamResponse:
    reply = exchange.process()
    text = _TWO_CLOSING_TAGS.sub(_UNKNOWN_ELEMENT, reply.body.decode())
    return to_response(SandboxReply(text.encode(), reply.content_type))


async def _wrong_credentials(exchange: Exchange) -> web.StreamResponse:
    return to_response(exchange.refuse())


async def _huge(exchange: Exchange) -> web.StreamResponse:
    response = await _begin(exchange.request, SandboxReply(b"", HTML), None)
    await response.write(b'<?xml version="1.0" encoding="UTF-8"?><data><total_num>999999999</total_num>')
    while not exchange.stopping.is_set():
        await response.write(_HUGE_RECORD)
    return response


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        "latency": _latency,
        "status": _status,
        "html_200": _html_200,
        "html_500": _html_500,
        "reset_before": _reset_before,
        "reset_after": _reset_after,
        "close_after": _close_after,
        "hang_before": _hang_before,
        "hang_after": _hang_after,
        "drip": _drip,
        "truncate": _truncate,
        "cut_xml": _cut_xml,
        "gbk": _gbk,
        "bom": _bom,
        "flapping": _status,
        "garbage": _garbage,
        "entity_bomb": _entity_bomb,
        "unknown_elements": _unknown_elements,
        "wrong_credentials": _wrong_credentials,
        "huge": _huge,
    }
)


async def _begin(request: web.Request, reply: SandboxReply, length: int | None) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers={"Content-Type": reply.content_type})
    response.content_length = length
    await response.prepare(request)
    return response


def _close(request: web.Request) -> None:
    """End the connection with a FIN once everything written so far has gone out."""
    if request.transport is not None:
        request.transport.close()


def _reset(request: web.Request) -> web.Response:
    """End the connection with an RST: a zero linger time makes the kernel send one when the socket closes.

    The option goes through a duplicate of the descriptor, because not every event loop's socket object can set it.
    """
    if request.transport is not None:
        descriptor = os.dup(request.transport.get_extra_info("socket").fileno())
        with socket.socket(fileno=descriptor) as duplicate:
            duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()
