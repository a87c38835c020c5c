"""No cache."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from app.policies.cache.fetching import Fetch
from app.policies.cache.model import NO_DIRECTIVES, Directives, NotCached, Outcome, Place, Served


class NullCache:
    """A `Cache` that keeps nothing and joins nobody: every read is fetched."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing."""
        yield

    def find_local(self, place: Place) -> Served | None:  # noqa: ARG002 - nothing is anywhere
        """Find nothing."""
        return None

    async def read(self, place: Place, fetch: Fetch, directives: Directives = NO_DIRECTIVES) -> Served:  # noqa: ARG002 - the same everywhere
        """Fetch.

        Raises:
            NotCached: the request wants a stored answer or none.
            Exception: what `fetch` raised.
        """
        if directives.only_if_cached:
            raise NotCached
        return Served(await fetch(), Outcome.BYPASS, 0.0, stored=False, shared=False)

    @asynccontextmanager
    async def changing(self, tenant: str, tags: Collection[str], seconds: float) -> AsyncIterator[None]:  # noqa: ARG002 - nothing becomes invalid
        """Do nothing around a write."""
        yield

    async def purge(self, tenant: str | None = None, tag: str | None = None) -> None:
        """Do nothing, for there is nothing to remove.

        Raises:
            ValueError: a tag without a tenant.
        """
        if tenant is None and tag is not None:
            raise ValueError("a tag belongs to a tenant")
