"""The read cache."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from app.policies.cache.fetching import Fetch, Fetcher, Landed, Landing
from app.policies.cache.flights import Flights
from app.policies.cache.freshness import age_of, is_fresh, judge
from app.policies.cache.model import (
    NO_DIRECTIVES,
    Answer,
    CacheObserver,
    Directives,
    NotCached,
    Outcome,
    Place,
    Served,
)
from app.policies.cache.store import CacheStore, Change, Lookup, Stamp

_Key = tuple[str, str, Stamp]
_PATIENCE = 0.5


class ReadCache:
    """A `Cache` over a store.

    Args:
        store: what keeps answers.
        observer: told of every read and of the store's failures.
        excuses: tells whether a failed fetch may be answered with a stale answer.
        fetch_seconds: how long a fetch takes at most.
        now: returns the Unix time.
    """

    def __init__(
        self,
        store: CacheStore,
        *,
        observer: CacheObserver,
        excuses: Callable[[Exception], bool],
        fetch_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._observer = observer
        self._now = now
        self._fetcher = Fetcher(store, excuses=excuses, seconds=fetch_seconds, now=now)
        self._flights: Flights[Landed] = Flights()
        self._background: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the context is open; leaving it ends what goes on in the background."""
        async with self._store.running(self._observer.store_failed):
            try:
                yield
            finally:
                for task in self._background:
                    task.cancel()
                await asyncio.gather(*self._background, return_exceptions=True)
                await self._flights.aclose()
                await asyncio.gather(*self._endings)

    def find_local(self, place: Place) -> Served | None:
        """Return a fresh answer that shows something and that this process holds, without waiting for anything."""
        answer = self._store.peek(place)
        now = self._now()
        if answer is None or not answer.found or not is_fresh(answer, now):
            return None
        self._observer.looked_up(Outcome.HIT)
        return Served(answer, Outcome.HIT, age_of(answer, now), stored=True, shared=False)

    async def read(self, place: Place, fetch: Fetch, directives: Directives = NO_DIRECTIVES) -> Served:
        """Return a stored answer that may be served, or fetch one.

        Raises:
            NotCached: the request wants a stored answer or none, and there is none.
            Exception: what `fetch` raised.
        """
        if directives.no_store:
            return await self._bypass(fetch, directives)
        local = self._store.peek(place)
        if local is not None and judge(local, self._now(), directives) is Outcome.HIT:
            return self._serve(local, Outcome.HIT, stored=True)
        lookup = await self._store.look(place)
        outcome = judge(lookup.answer, self._now(), directives)
        if lookup.answer is not None and outcome in {Outcome.HIT, Outcome.STALE}:
            if outcome is Outcome.STALE and not directives.only_if_cached:
                self._revalidate(place, lookup, fetch)
            return self._serve(lookup.answer, outcome, stored=True, shared=lookup.shared)
        if directives.only_if_cached:
            self._observer.looked_up(outcome)
            raise NotCached
        return await self._fetched(place, lookup, fetch, outcome)

    @asynccontextmanager
    async def changing(self, tenant: str, tags: Collection[str], seconds: float) -> AsyncIterator[None]:
        """Surround a write: what it touches is invalid before it and, however it ends, after it.

        A store that cannot be reached does not keep a write back; what it missed is made up for when it returns.

        Args:
            tenant: whose data it changes.
            tags: what it touches.
            seconds: how long it may take at most; after a crash reads stay uncached for as long.
        """
        change = Change(tenant, tuple(sorted(set(tags))))
        if not change.tags:
            yield
            return
        try:
            await self._store.begin(change, seconds)
            yield
        finally:
            await self._whatever_happens(self._store.end(change))

    async def purge(self, tenant: str | None = None, tag: str | None = None) -> None:
        """Make everything invalid, or what belongs to a tenant, or to one of its tags.

        Raises:
            ValueError: a tag without a tenant.
        """
        if tenant is None and tag is not None:
            raise ValueError("a tag belongs to a tenant")
        await self._store.purge(tenant, tag)

    async def _bypass(self, fetch: Fetch, directives: Directives) -> Served:
        if directives.only_if_cached:
            self._observer.looked_up(Outcome.BYPASS)
            raise NotCached
        try:
            answer = await fetch()
        except BaseException:
            self._observer.looked_up(Outcome.BYPASS)
            raise
        return self._serve(answer, Outcome.BYPASS, stored=False)

    async def _fetched(self, place: Place, lookup: Lookup, fetch: Fetch, outcome: Outcome) -> Served:
        # Tokens are part of the key: nobody joins a fetch that began before a write which has ended since.
        key = place.tenant, place.key, lookup.stamp
        try:
            if not lookup.certain:
                # A fetch under way may be older than a write that nobody could tell this process of.
                flight = self._flights.follow(key, partial(self._fetcher.in_turn, place, lookup, fetch), _PATIENCE)
                landed = await self._flights.wait(flight)
            elif outcome is Outcome.FORCED:
                flight = self._flights.start(key, partial(self._fetcher.at_once, place, lookup, fetch))
                landed = await self._flights.wait(flight)
            else:
                landed = await self._joined(key, partial(self._fetcher.in_turn, place, lookup, fetch))
        except BaseException:
            self._observer.looked_up(outcome)
            raise
        return self._serve(landed.answer, landed.outcome, stored=landed.stored, shared=landed.shared)

    async def _joined(
        self, key: _Key, work: Callable[[Landing], Coroutine[Any, Any, Landed]], *, again: bool = True
    ) -> Landed:
        flight = self._flights.find(key)
        if flight is None:
            return await self._flights.wait(self._flights.start(key, work))
        try:
            return (await self._flights.wait(flight)).collapsed()
        except Exception:
            if not again:
                raise
        # What failed another request need not fail this one, but a platform in trouble is asked only once more.
        return await self._joined(key, work, again=False)

    def _revalidate(self, place: Place, lookup: Lookup, fetch: Fetch) -> None:
        key = place.tenant, place.key, lookup.stamp
        if self._flights.find(key) is None:
            flight = self._flights.start(key, partial(self._fetcher.in_turn, place, lookup, fetch))
            self._keep(self._background, self._flights.hold(flight))

    async def _whatever_happens(self, ending: Coroutine[Any, Any, None]) -> None:
        task = self._keep(self._endings, ending)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def _keep(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    def _serve(self, answer: Answer, outcome: Outcome, *, stored: bool, shared: bool = False) -> Served:
        self._observer.looked_up(outcome)
        return Served(answer, outcome, age_of(answer, self._now()), stored, shared)
