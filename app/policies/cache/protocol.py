"""What the gateway asks of a read cache, and the cache that keeps nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from app.policies.cache.model import (
    NO_DIRECTIVES,
    CacheEntry,
    CacheKey,
    CacheOutcome,
    Directives,
    NothingStored,
    Served,
)

Fetch = Callable[[], Awaitable[CacheEntry]]
"""Asks the platform; it may run in another task."""


class Cache(Protocol):
    """Answers reads and obeys writes."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Work while the context is open; leaving it ends what goes on in the background."""

    async def read(self, key: CacheKey, fetch: Fetch, directives: Directives = NO_DIRECTIVES) -> Served:
        """Return a stored entry that may be served, or fetch one.

        Raises:
            NothingStored: the request accepts only a stored entry, and there is none.
            Exception: what `fetch` raised.
        """

    def changing(self, tenant: str, tags: Collection[str], seconds: float) -> AbstractAsyncContextManager[None]:
        """Surround a write of at most so many seconds: its tags are invalid before and, however it ends, after it."""

    async def purge(self, tenant: str | None = None, tag: str | None = None) -> None:
        """Invalidate everything, a tenant, or one of its tags.

        Raises:
            ValueError: a tag without a tenant.
        """


class NullCache:
    """A `Cache` that keeps nothing: every read is fetched."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    async def read(self, key: CacheKey, fetch: Fetch, directives: Directives = NO_DIRECTIVES) -> Served:  # noqa: ARG002
        if directives.only_if_cached:
            raise NothingStored
        return Served(await fetch(), CacheOutcome.BYPASS, 0.0, stored=False, shared=False)

    @asynccontextmanager
    async def changing(self, tenant: str, tags: Collection[str], seconds: float) -> AsyncIterator[None]:  # noqa: ARG002
        yield

    async def purge(self, tenant: str | None = None, tag: str | None = None) -> None:
        if tenant is None and tag is not None:
            raise ValueError("a tag belongs to a tenant")
