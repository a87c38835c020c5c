"""Relay connections that are kept for the next message: per tenant, a few, and for seconds only.

They are filed under the tenant and its whole SMTP account: no tenant ever gets another's session, and changed
credentials get new ones.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.errors import UpstreamRejected
from app.messages.connection import RelayConnection
from app.messages.models import SmtpTimeouts
from app.tenants.destinations import Destinations
from app.tenants.models import SmtpAccount

_Key = tuple[str, SmtpAccount]


@dataclass(frozen=True, slots=True)
class _Idle:
    connection: RelayConnection
    expiry: asyncio.TimerHandle


@dataclass(slots=True)
class _Lane:
    slots: asyncio.Semaphore
    users: int = 0
    idle: list[_Idle] = field(default_factory=list)


class RelayPool:
    """Lends out sessions with relays.

    Args:
        size: sessions a tenant may have at once; more submissions wait.
    """

    def __init__(
        self,
        waits: SmtpTimeouts,
        tls: Callable[[], ssl.SSLContext],
        destinations: Destinations,
        *,
        size: int,
        idle_seconds: float,
    ) -> None:
        self._waits = waits
        self._tls = tls
        self._destinations = destinations
        self._size = size
        self._idle_seconds = idle_seconds
        self._lanes: dict[_Key, _Lane] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        self._closed = False

    @asynccontextmanager
    async def connection(self, tenant_id: str, account: SmtpAccount) -> AsyncIterator[RelayConnection]:
        """Lend a session that answered a moment ago or is new; it is kept unless it broke.

        Raises:
            app.errors.UpstreamFailure: no session could be opened; nothing was sent.
        """
        key = (tenant_id, account)
        lane = self._lanes.setdefault(key, _Lane(asyncio.Semaphore(self._size)))
        lane.users += 1
        try:
            async with lane.slots:
                connection = await self._reused(lane) or await self._opened(account)
                try:
                    yield connection
                except UpstreamRejected:
                    self._keep(key, lane, connection)
                    raise
                except BaseException:
                    connection.abort()
                    raise
                self._keep(key, lane, connection)
        finally:
            lane.users -= 1
            self._forget_if_empty(key, lane)

    async def _reused(self, lane: _Lane) -> RelayConnection | None:
        while lane.idle:
            idle = lane.idle.pop()
            idle.expiry.cancel()
            try:
                alive = await idle.connection.is_alive()
            except BaseException:
                idle.connection.abort()
                raise
            if alive:
                return idle.connection
            idle.connection.abort()
        return None

    async def _opened(self, account: SmtpAccount) -> RelayConnection:
        tls = None if account.security == "none" else self._tls()
        return await RelayConnection.open(account, self._waits, tls, self._destinations)

    def _keep(self, key: _Key, lane: _Lane, connection: RelayConnection) -> None:
        if self._closed:
            self._dismiss(connection)
            return
        loop = asyncio.get_running_loop()
        expiry = loop.call_later(self._idle_seconds, self._expire, key, lane, connection)
        lane.idle.append(_Idle(connection, expiry))

    def _expire(self, key: _Key, lane: _Lane, connection: RelayConnection) -> None:
        lane.idle = [idle for idle in lane.idle if idle.connection is not connection]
        self._forget_if_empty(key, lane)
        self._dismiss(connection)

    def _forget_if_empty(self, key: _Key, lane: _Lane) -> None:
        if not lane.users and not lane.idle:
            self._lanes.pop(key, None)

    def _dismiss(self, connection: RelayConnection) -> None:
        farewell = asyncio.get_running_loop().create_task(connection.close())
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    async def aclose(self) -> None:
        """Take leave of every relay; sessions still lent out follow when they come back."""
        self._closed = True
        for lane in self._lanes.values():
            for idle in lane.idle:
                idle.expiry.cancel()
                self._dismiss(idle.connection)
            lane.idle.clear()
        self._lanes.clear()
        await asyncio.gather(*self._farewells)
