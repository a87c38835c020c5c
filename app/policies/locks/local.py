"""Locks within one process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.policies.locks.models import LockUnavailable, Name, Possession


class LocalLocks:
    """`NamedLocks` for one process; those who wait get a lock in the order they came."""

    def __init__(self) -> None:
        self._locks: dict[Name, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def holding(self, name: Name, *, wait: float) -> AsyncIterator[Possession]:
        """Hold the lock called `name` while the context is open.

        Raises:
            LockUnavailable: it was not to be had within `wait` seconds.
        """
        lock, wanted = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = lock, wanted + 1
        try:
            await _acquire(lock, wait)
            try:
                yield _Held()
            finally:
                lock.release()
        finally:
            lock, wanted = self._locks.pop(name)
            if wanted > 1:
                self._locks[name] = lock, wanted - 1


async def _acquire(lock: asyncio.Lock, wait: float) -> None:
    try:
        async with asyncio.timeout(wait):
            await lock.acquire()
    except TimeoutError:
        raise LockUnavailable("The lock was not released in time.") from None


class _Held:
    def ensure(self) -> None:
        """Do nothing: nobody takes a lock of this process away."""
