"""Connecting to a relay, at an address that has been looked at."""

import asyncio
import socket

import structlog

from app.tenants.destinations import Destinations

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
