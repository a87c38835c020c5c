"""A store within one process."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from app.policies.cache.level import Level
from app.policies.cache.model import Answer, Place
from app.policies.cache.store import Change, Lease, Lookup, Usage


class MemoryStore:
    """A `CacheStore` for a gateway of one process.

    Args:
        most_bytes: how much memory answers may take.
        clock: a monotonic clock in seconds.
    """

    def __init__(self, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._level = Level(most_bytes, clock)

    @asynccontextmanager
    async def running(self, failed: Callable[[str], None]) -> AsyncIterator[None]:  # noqa: ARG002 - nothing can fail
        """Do nothing: there is nothing to start."""
        yield

    def usage(self) -> Usage:
        """Return what this process itself holds."""
        return self._level.usage()

    def peek(self, place: Place) -> Answer | None:
        """Return what is valid, however old."""
        return self._level.get(place.tenant, place.key, place.tags)

    async def look(self, place: Place, *, afresh: bool = False) -> Lookup:  # noqa: ARG002 - every look is
        """Return what is known about a place."""
        stamp = self._level.stamp(place.tenant, place.tags)
        writing = self._level.writing(place.tenant, place.tags)
        return Lookup(self.peek(place), stamp, stamp, storable=not writing)

    async def put(self, place: Place, lookup: Lookup, answer: Answer, seconds: float, lease: Lease | None) -> bool:  # noqa: ARG002 - readers judge ages
        """Store an answer, unless a token changed since or it is too large."""
        return self._level.put(place.tenant, place.key, place.tags, answer, lookup.level_stamp)

    async def acquire(self, place: Place, lookup: Lookup, seconds: float) -> Lease | None:  # noqa: ARG002 - no rivals
        """Grant it: requests of one process agree among themselves."""
        return Lease(place.key, "")

    async def release(self, lease: Lease) -> None:
        """Do nothing: nobody waits for it."""

    async def begin(self, change: Change, seconds: float) -> None:
        """Make what a write touches invalid, and keep it out until the write's end or for so many seconds."""
        self._level.begin(change, seconds)

    async def end(self, change: Change) -> None:
        """Make what a write touched invalid."""
        self._level.end(change)

    async def purge(self, tenant: str | None, tag: str | None) -> None:
        """Make everything invalid, or what belongs to a tenant, or to one of its tags."""
        if tenant is None:
            self._level.clear()
        else:
            self._level.renew(tenant, None if tag is None else (tag,))
