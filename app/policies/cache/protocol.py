"""What the gateway asks of a read cache."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from app.policies.cache.fetching import Fetch
from app.policies.cache.model import NO_DIRECTIVES, Directives, Place, Served


class Cache(Protocol):
    """Answers reads and obeys writes."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Work while the context is open; leaving it ends what goes on in the background."""

    def find_local(self, place: Place) -> Served | None:
        """Return a fresh answer that shows something and that this process holds, without waiting for anything."""

    async def read(self, place: Place, fetch: Fetch, directives: Directives = NO_DIRECTIVES) -> Served:
        """Return a stored answer that may be served, or fetch one.

        Args:
            place: where the answer belongs.
            fetch: asks the platform; may be called in another task, and not before this read began.
            directives: what the request says about caching.

        Raises:
            NotCached: the request wants a stored answer or none, and there is none.
            Exception: what `fetch` raised.
        """

    def changing(self, tenant: str, tags: Collection[str], seconds: float) -> AbstractAsyncContextManager[None]:
        """Surround a write: what it touches is invalid before it and, however it ends, after it.

        Args:
            tenant: whose data it changes.
            tags: what it touches.
            seconds: how long it may take at most.
        """

    async def purge(self, tenant: str | None = None, tag: str | None = None) -> None:
        """Make everything invalid, or what belongs to a tenant, or to one of its tags.

        Raises:
            ValueError: a tag without a tenant.
        """
