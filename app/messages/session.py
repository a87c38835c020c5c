"""SMTP as lines in step: each command gets its reply, and a relay that speaks unasked has lost the connection."""

import asyncio
import re
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from typing import cast

import structlog

from app.tenants.destinations import Destinations

_REPLY = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_LONGEST = 64 * 1024
_MOST_LINES = 200


class SessionLost(Exception):
    """The connection is of no use any more."""


class NotSmtp(SessionLost):
    """What answers does not speak SMTP."""


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A status code and the lines that came with it, in the platform's encodings."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


class SmtpSession(asyncio.Protocol):
    """One connection with a relay, whose greeting is the first reply."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._greeting: asyncio.Future[SmtpReply] = self._loop.create_future()
        self._waiting: deque[asyncio.Future[SmtpReply]] = deque([self._greeting])
        self._lost: SessionLost | None = None

    @property
    def in_step(self) -> bool:
        """Whether every command has had its reply, and nothing else has come."""
        return self._lost is None and not self._waiting and not self._buffer and not self._lines

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read what has come, line by line."""
        self._buffer += data
        while self._lost is None and (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            self._line(line)
        if len(self._buffer) > _LONGEST:
            self.lose(NotSmtp("the reply is too long"))

    def eof_received(self) -> None:
        """Notice that the relay has left."""
        self.lose(SessionLost("the connection broke"))

    def connection_lost(self, _exc: Exception | None) -> None:
        """Notice that the connection is gone."""
        self.lose(SessionLost("the connection broke"))

    def lose(self, reason: SessionLost) -> None:
        """Drop the connection together with whatever has not left yet."""
        if self._lost is None:
            self._lost = reason
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(self._lost)
                waiting.exception()
        if self._transport is not None:
            self._transport.abort()

    async def greeted(self) -> SmtpReply:
        """Return the relay's greeting; raises `SessionLost` where there is none."""
        return await self._greeting

    def send(self, *commands: bytes) -> list["asyncio.Future[SmtpReply]"]:
        """Send commands in one piece; each has a reply.

        Raises:
            SessionLost: the connection is gone, or out of step.
        """
        if not self.in_step or self._transport is None:
            self.lose(SessionLost("the connection broke"))
            raise self._lost or SessionLost("the connection broke")
        replies: list[asyncio.Future[SmtpReply]] = [self._loop.create_future() for _ in commands]
        self._waiting.extend(replies)
        self._transport.write(b"".join(command + b"\r\n" for command in commands))
        return replies

    async def ask(self, command: bytes, *, seconds: float) -> SmtpReply:
        """Send one command and return its reply.

        Raises:
            SessionLost: the connection is gone, or out of step.
            TimeoutError: there was no reply in time.
        """
        (reply,) = self.send(command)
        async with asyncio.timeout(seconds):
            return await reply

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Go on in TLS; what came before in clear is never read as if it came in it."""
        if not self.in_step or self._transport is None:
            raise SessionLost("the connection broke")
        transport = await self._loop.start_tls(self._transport, self, context, server_hostname=host)
        self._transport = cast("asyncio.Transport", transport)

    def _line(self, line: bytes) -> None:
        found = _REPLY.fullmatch(line)
        if found is None:
            self.lose(NotSmtp("the reply is not SMTP"))
        elif not self._waiting:
            self.lose(SessionLost("it spoke unasked"))
        else:
            self._lines.append(found[3] or b"")
            if found[2] == b"-" and len(self._lines) < _MOST_LINES:
                return
            reply = SmtpReply(int(found[1]), tuple(map(_text, self._lines)))
            self._lines.clear()
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(reply)


def _text(line: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("utf-8", "surrogateescape")


log = structlog.get_logger(__name__)


class NoConnection(OSError):
    """No address takes the connection, or none may be connected to."""


class NoConnectionInTime(NoConnection):
    """There is no connection so far."""


async def connected(host: str, port: int, destinations: Destinations, *, seconds: float) -> socket.socket:
    """Return a socket connected to the first address of a host that takes the connection and is allowed.

    Raises:
        NoConnectionInTime: there is none within so many seconds.
        NoConnection: no address takes the connection, or none may be connected to.
        OSError: the name cannot be resolved.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _first(host, port, destinations)
    except TimeoutError:
        raise NoConnectionInTime("no connection in time") from None


async def _first(host: str, port: int, destinations: Destinations) -> socket.socket:
    found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for family, _, _, _, address in found:
        if not destinations.allows(str(address[0])):
            log.warning("destination_refused", host=host, port=port)
        elif (sock := await _attempt(family, address)) is not None:
            return sock
    raise NoConnection("no address takes the connection")


async def _attempt(family: int, address: tuple[object, ...]) -> socket.socket | None:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
    except OSError:
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise
    return sock
