"""Connections to platforms that are kept for the next exchange."""

import asyncio
import socket
import ssl
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import NamedTuple, NoReturn

import aiohappyeyeballs
import structlog

from app.tenants.destinations import Destinations
from app.upstream.connection import Connection

log = structlog.get_logger(__name__)

_KEPT_SECONDS = 5.0
_MOST_DISTRUSTED = 1000
_NEXT_ADDRESS_AFTER = 0.25
"""RFC 8305, section 5."""


class Origin(NamedTuple):
    """Where connections lead and whose they are: a scheme, a host as the name service knows it, a port, a login."""

    scheme: str
    host: str
    port: int
    owner: str = ""


class AddressRefused(OSError):
    """A host has no address that the gateway may connect to."""


class ConnectionPool:
    """A bounded number of connections, one exchange on each at a time, and none ever used for two logins.

    Args:
        destinations: decides which of a name's addresses are connected to, and again about the one that was really
            reached, before a byte leaves.
        tls: returns the context for TLS; called, in a thread, when the first connection needs one.
    """

    def __init__(
        self,
        destinations: Destinations,
        *,
        connections: int,
        tls: Callable[[], ssl.SSLContext],
        kept_seconds: float = _KEPT_SECONDS,
    ) -> None:
        self._destinations = destinations
        self._most = connections
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._distrusted: set[Origin] = set()
        self._kept_seconds = kept_seconds
        self._free = asyncio.Semaphore(connections)
        self._under_way: set[Connection] = set()
        self._kept: OrderedDict[Connection, tuple[Origin, float]] = OrderedDict()
        self._by_origin: dict[Origin, deque[Connection]] = {}

    def take_turn(self) -> Awaitable[bool]:
        """Return what waits until there may be one more exchange; `release` or `give_up` ends it."""
        return self._free.acquire()

    @property
    def is_full(self) -> bool:
        """Whether `take_turn` would have to wait."""
        return self._free.locked()

    def give_up(self) -> None:
        """End a turn for which there is no connection."""
        self._free.release()

    def recall(self, origin: Origin) -> Connection | None:
        """Return a connection that was kept, if there is one that is fit for use."""
        self._drop_expired()
        kept = self._by_origin.get(origin)
        while kept:
            # The last one used is the last one to be given up by the platform.
            connection = kept.pop()
            del self._kept[connection]
            if connection.is_quiet():
                self._under_way.add(connection)
                return connection
            connection.abort()
        self._by_origin.pop(origin, None)
        return None

    async def open(self, origin: Origin) -> Connection:
        """Return a new connection.

        Raises:
            OSError, UnicodeError: there is nobody, or it is not allowed.
        """
        self._make_room()
        connection = await self._reach(origin)
        self._under_way.add(connection)
        return connection

    def release(self, connection: Connection, origin: Origin) -> None:
        """End a turn; the connection is kept if it may be used again."""
        self._under_way.discard(connection)
        if connection.is_reusable:
            self._kept[connection] = origin, asyncio.get_running_loop().time() + self._kept_seconds
            self._by_origin.setdefault(origin, deque()).append(connection)
        else:
            connection.abort()
        self._free.release()

    def close(self) -> None:
        """End every connection."""
        for connection in (*self._under_way, *self._kept):
            connection.abort()
        self._kept.clear()
        self._by_origin.clear()

    def _drop_expired(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._kept:
            connection, (_, until) = next(iter(self._kept.items()))
            if until > now:
                return
            self._drop(connection)

    def _make_room(self) -> None:
        while self._kept and len(self._kept) + len(self._under_way) >= self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, connection: Connection) -> None:
        origin, _ = self._kept.pop(connection)
        self._by_origin[origin].remove(connection)
        if not self._by_origin[origin]:
            del self._by_origin[origin]
        connection.abort()

    async def _reach(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        found = _literal(origin) or await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        by_address = {str(each[4][0]): each for each in found}
        allowed = {each: at for each, at in by_address.items() if self._destinations.allows(each)}
        if not allowed:
            _refuse(origin)
        reached = await aiohappyeyeballs.start_connection(
            list(allowed.values()), happy_eyeballs_delay=_NEXT_ADDRESS_AFTER, interleave=1, loop=loop
        )
        try:
            peer = str(reached.getpeername()[0])
            # The same address can be written in several ways.
            if peer not in allowed and not self._destinations.allows(peer):
                _refuse(origin)
            secure = origin.scheme == "https"
            _, connection = await loop.create_connection(
                Connection,
                sock=reached,
                ssl=await self._secured() if secure else None,
                server_hostname=origin.host if secure else None,
            )
        except BaseException as error:
            reached.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                self._distrust(origin, error.verify_message)
            raise
        if origin in self._distrusted:
            self._distrusted.discard(origin)
            log.warning("certificate_trusted", host=origin.host, port=origin.port)
        return connection

    def _distrust(self, origin: Origin, reason: str) -> None:
        if origin not in self._distrusted and len(self._distrusted) < _MOST_DISTRUSTED:
            self._distrusted.add(origin)
            log.error("certificate_refused", host=origin.host, port=origin.port, reason=reason)

    async def _secured(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = await asyncio.to_thread(self._tls)
        return self._context


def _refuse(origin: Origin) -> NoReturn:
    log.warning("destination_refused", host=origin.host, port=origin.port)
    raise AddressRefused("the address is not allowed")


def _literal(origin: Origin) -> list[aiohappyeyeballs.AddrInfoType]:
    """Return where an origin is whose host is an address; nobody needs to be asked for that, nor a thread."""
    try:
        address = ip_address(origin.host)
    except ValueError:
        return []
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (origin.host, origin.port))]
