"""Connections to Valkey or Redis."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as StoreTimeout

from app.storage.patience import Patience

UNAVAILABLE = (RedisError, OSError, TimeoutError)
"""What a command raises when the store cannot be used, whatever the reason."""


def connect(url: str, *, timeout: float, connections: int = 64) -> Redis:
    """Return a client that connects when it is first used.

    Every wait is short, because no request may be kept waiting by a store that hangs, and nothing is tried again:
    whether a command may be repeated is for its caller to know.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as redis-py reads it.
        timeout: seconds to wait for a connection, and then for a reply; time in which the event loop was held up does
            not count.
        connections: most connections at once; commands beyond them wait, at most for `timeout`.
    """
    pool = _PatientPool.from_url(
        url,
        max_connections=connections,
        timeout=None,
        socket_timeout=None,
        socket_connect_timeout=None,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        patience=timeout,
    )
    pool.connection_class = _PATIENT[pool.connection_class]  # type: ignore[type-abstract]
    return Redis.from_pool(pool)


class _StorePatience(Patience):
    async def __aexit__(self, *reason: Any) -> None:
        try:
            await super().__aexit__(*reason)
        except TimeoutError:
            raise StoreTimeout("The store did not answer in time.") from None


class _PatientPool(BlockingConnectionPool):
    def __init__(self, *, patience: float, **options: Any) -> None:
        super().__init__(patience=patience, **options)
        self._patience = patience

    async def get_connection(self, *_deprecated: object, **_ignored: object) -> AbstractConnection:
        async with _StorePatience(self._patience):
            connection: AbstractConnection = await super().get_connection()  # type: ignore[no-untyped-call]
            return connection


class _Patient(AbstractConnection):
    # The client's own time-outs go by the clock, and its sending forgets cancellations below Python 3.12.
    def __init__(self, *, patience: float, **options: Any) -> None:
        super().__init__(**options)
        self._patience = patience

    async def connect_check_health(self, *arguments: Any, **options: Any) -> None:
        async with _StorePatience(self._patience):
            await super().connect_check_health(*arguments, **options)

    async def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        async with _StorePatience(self._patience):
            await super().send_packed_command(*arguments, **options)

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        if options.get("timeout") is not None:
            return await super().read_response(*arguments, **options)
        async with _StorePatience(self._patience):
            return await super().read_response(*arguments, **options)


class _PatientTcp(_Patient, Connection): ...


class _PatientTls(_Patient, SSLConnection): ...


class _PatientUnix(_Patient, UnixDomainSocketConnection): ...


_PATIENT = {Connection: _PatientTcp, SSLConnection: _PatientTls, UnixDomainSocketConnection: _PatientUnix}
