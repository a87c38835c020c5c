"""Connections to Valkey or Redis."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

UNAVAILABLE = (RedisError, OSError, TimeoutError)
"""What a command raises when the store cannot be used, whatever the reason."""


def connect(url: str, *, timeout: float, connections: int = 64) -> Redis:
    """Return a client that connects when it is first used.

    Every wait is short, because no request may be kept waiting by a store that hangs, and nothing is tried again:
    whether a command may be repeated is for its caller to know.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as redis-py reads it.
        timeout: seconds to wait for a connection, and then for a reply.
        connections: most connections at once; commands beyond them wait, at most for `timeout`.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return Redis.from_pool(pool)
