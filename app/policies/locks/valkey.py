"""Locks in Valkey or Redis, across workers and replicas."""

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis

from app.policies.errands import Errands
from app.policies.leases import Lease, Sleep
from app.policies.locks.local import LocalLocks
from app.policies.locks.models import LockUnavailable, Name, Possession
from app.storage.valkey import UNAVAILABLE

_PREFIX = "umail-gateway:lock:"
_FIRST_PAUSE, _GROWTH, _LONGEST_PAUSE = 0.01, 1.5, 0.25

_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class ValkeyLocks:
    """`NamedLocks` for many processes.

    A lock ends by itself some seconds after its process has died. Of those who wait in one process only the first asks
    the server; between processes no order is kept.
    """

    def __init__(
        self,
        client: Redis,
        *,
        lease: float = 10.0,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use a server; nothing is sent to it yet.

        Args:
            client: the connections to the server, with short time-outs; whoever made them closes them.
            lease: seconds after which the lock of a dead process ends.
            sleep: waits for some seconds.
            clock: returns the time in seconds.
        """
        self._client = client
        self._lease = lease
        self._sleep = sleep
        self._clock = clock
        self._local = LocalLocks()
        self._errands = Errands()

    @asynccontextmanager
    async def holding(self, name: Name, *, wait: float) -> AsyncIterator[Possession]:
        """Hold the lock called `name` while the context is open.

        Raises:
            LockUnavailable: it was not to be had within `wait` seconds, or the server cannot be used.
        """
        until = self._clock() + wait
        token = _Token(self._client, name, self._lease)
        async with self._local.holding(name, wait=wait):
            lease = await self._acquire(token, until)
            try:
                yield _Held(lease)
            finally:
                await self._errands.run(_end(lease, token))

    async def _acquire(self, token: "_Token", until: float) -> Lease:
        jitter, pause = secrets.SystemRandom(), _FIRST_PAUSE
        while True:
            asked = self._clock()
            if await self._put(token):
                return self._kept(token, asked)
            left = until - self._clock()
            if left <= 0:
                raise LockUnavailable("The lock was not released in time.")
            await self._sleep(min(left, pause * jitter.uniform(0.5, 1)))
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    async def _put(self, token: "_Token") -> bool:
        putting = self._errands.start(token.put())
        try:
            return await asyncio.shield(putting)
        except asyncio.CancelledError:
            self._errands.start(_undo(putting, token))
            raise

    def _kept(self, token: "_Token", asked: float) -> Lease:
        return Lease(
            token.renew,
            seconds=self._lease,
            failure=LockUnavailable,
            sleep=self._sleep,
            clock=self._clock,
            since=asked,
        )


class _Token:
    def __init__(self, client: Redis, name: Name, lease: float) -> None:
        self._client = client
        self._key = _PREFIX + hashlib.sha256(json.dumps(name).encode()).hexdigest()
        self._value = secrets.token_hex(16)
        self._milliseconds = max(1, int(lease * 1000))
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)

    async def put(self) -> bool:
        return bool(await _asked(self._client.set(self._key, self._value, nx=True, px=self._milliseconds)))

    async def renew(self) -> bool:
        return bool(await _asked(self._renew(keys=[self._key], args=[self._value, self._milliseconds])))

    async def release(self) -> bool:
        return bool(await _asked(self._release(keys=[self._key], args=[self._value])))


class _Held:
    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def ensure(self) -> None:
        """See that the lock was renewed lately enough for nobody else to have it.

        Raises:
            LockUnavailable: it was not.
        """
        if not self._lease.held:
            raise LockUnavailable("The lock was lost.")


async def _end(lease: Lease, token: _Token) -> None:
    await lease.stop()
    # One that cannot be released ends by itself.
    with suppress(LockUnavailable):
        await token.release()


async def _undo(putting: asyncio.Task[bool], token: _Token) -> None:
    with suppress(LockUnavailable):
        await putting
        await token.release()


async def _asked(reply: Awaitable[Any]) -> Any:
    try:
        return await reply
    except UNAVAILABLE as failure:
        raise LockUnavailable(f"The store of locks cannot be used: {type(failure).__name__}.") from None
