"""The read cache."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Hashable
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Generic, TypeVar

from app.policies.cache.model import (
    NO_DIRECTIVES,
    CacheEntry,
    CacheKey,
    CacheObserver,
    CacheOutcome,
    CacheStore,
    Directives,
    Fetch,
    Fetched,
    Lookup,
    NothingStored,
    Served,
    age_of,
    is_fresh,
    judge,
    may_stand_in,
    remaining_life,
)

T = TypeVar("T")


class Flight(Generic[T]):
    """One piece of work under way, in a task of its own."""

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.waiters = 0
        self.superseded = False  # by a later flight with the same key
        self.traceback: TracebackType | None = None
        self.task: asyncio.Task[T]


class SingleFlight(Generic[T]):
    """The flights of this process. One that nobody waits for any more is cancelled; who leaves fails nobody else."""

    def __init__(self) -> None:
        self._current: dict[Hashable, Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()

    def find(self, key: Hashable) -> Flight[T] | None:
        """Return the flight with this key that began last, if it is still under way."""
        flight = self._current.get(key)
        return None if flight is None or flight.task.done() else flight

    def start(self, key: Hashable, work: Callable[[Flight[T]], Coroutine[Any, Any, T]]) -> Flight[T]:
        """Begin a flight, also if there is one already; whoever finds the key from now on finds this one."""
        earlier = self.find(key)
        if earlier is not None:
            earlier.superseded = True
        flight: Flight[T] = Flight(key)
        flight.task = asyncio.get_running_loop().create_task(work(flight))
        self._current[key] = flight
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda task: self._landed(flight, task))
        return flight

    async def wait(self, flight: Flight[T]) -> T:
        """Return what a flight brings, or raise what its work raised."""
        await self.hold(flight)
        error = None if flight.task.cancelled() else flight.task.exception()
        if error is None:
            return flight.task.result()
        # Each waiter raises the same error, which would otherwise collect the frames of all of them.
        flight.traceback = flight.traceback or error.__traceback__
        try:
            raise error.with_traceback(flight.traceback)
        finally:
            # The error, its traceback and this frame would keep each other.
            del error, flight

    async def hold(self, flight: Flight[T]) -> None:
        flight.waiters += 1
        try:
            await asyncio.wait([flight.task])
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                self._forget(flight)
                flight.task.cancel()

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _landed(self, flight: Flight[T], task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        self._forget(flight)
        if not task.cancelled():
            _let_go(task.exception())

    def _forget(self, flight: Flight[T]) -> None:
        if self._current.get(flight.key) is flight:
            del self._current[flight.key]


def _let_go(error: BaseException | None) -> None:
    """Free what the frames behind an error hold, such as a reply that was refused; the error may live for long."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


_LONGEST_QUEUE = 0.5  # seconds to wait for a fetch that cannot be joined


class ReadCache:
    """A `Cache` over a store; `excuses` tells whether a stale entry may stand in for a failed fetch."""

    def __init__(
        self,
        store: CacheStore,
        *,
        observer: CacheObserver,
        excuses: Callable[[Exception], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._observer = observer
        self._excuses = excuses
        self._now = now
        self._flights: SingleFlight[Fetched] = SingleFlight()
        self._revalidations: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for task in self._revalidations:
                task.cancel()
            await asyncio.gather(*self._revalidations, return_exceptions=True)
            await self._flights.aclose()
            await asyncio.gather(*self._endings)
            await self._store.aclose()

    async def read(self, key: CacheKey, fetch: Fetch, directives: Directives = NO_DIRECTIVES) -> Served:
        if directives.no_store:
            return await self._bypass(fetch, directives)
        lookup = await self._store.look(key)
        outcome = judge(lookup.entry, self._now(), directives)
        if lookup.entry is not None and outcome in {CacheOutcome.HIT, CacheOutcome.STALE}:
            if outcome is CacheOutcome.STALE and not directives.only_if_cached:
                self._revalidate(key, lookup, fetch)
            return self._serve(lookup.entry, outcome, stored=True, shared=lookup.shared)
        if directives.only_if_cached:
            self._observer.looked_up(outcome)
            raise NothingStored
        try:
            fetched = await self._fetch_once(key, lookup, fetch, outcome)
        except BaseException:
            self._observer.looked_up(outcome)
            raise
        return self._serve(fetched.entry, fetched.outcome, stored=fetched.stored, shared=fetched.shared)

    @asynccontextmanager
    async def changing(self, tenant: str, tags: Collection[str], seconds: float) -> AsyncIterator[None]:
        touched = tuple(sorted(set(tags)))
        if not touched:
            yield
            return
        try:
            await self._store.begin_write(tenant, touched, seconds)
            yield
        finally:
            await self._whatever_happens(self._store.end_write(tenant, touched))

    async def purge(self, tenant: str | None = None, tag: str | None = None) -> None:
        if tenant is None and tag is not None:
            raise ValueError("a tag belongs to a tenant")
        await self._store.purge(tenant, tag)

    async def _bypass(self, fetch: Fetch, directives: Directives) -> Served:
        if directives.only_if_cached:
            self._observer.looked_up(CacheOutcome.BYPASS)
            raise NothingStored
        try:
            entry = await fetch()
        except BaseException:
            self._observer.looked_up(CacheOutcome.BYPASS)
            raise
        return self._serve(entry, CacheOutcome.BYPASS, stored=False)

    async def _fetch_once(self, key: CacheKey, lookup: Lookup, fetch: Fetch, outcome: CacheOutcome) -> Fetched:
        # The versions are part of the flight's key: nobody joins a fetch that began before a write which has ended.
        flight_key = key.tenant, key.digest, lookup.stamp
        work = partial(self._fetch, key, lookup, fetch, outcome)
        present = self._flights.find(flight_key)
        if lookup.stamp is None:
            present = await self._later_than(present)
        elif outcome is CacheOutcome.FORCED:
            present = None
        if present is not None:
            try:
                return (await self._flights.wait(present)).collapsed()
            except Exception:  # noqa: BLE001 - what failed another request need not fail this one
                present = self._flights.find(flight_key)
        if present is None:
            return await self._flights.wait(self._flights.start(flight_key, work))
        return (await self._flights.wait(present)).collapsed()

    async def _later_than(self, present: Flight[Fetched] | None) -> Flight[Fetched] | None:
        """Return a flight that began after now: while versions are unknown, the present one may miss a write."""
        if present is None:
            return None
        await asyncio.wait([present.task], timeout=_LONGEST_QUEUE)
        later = self._flights.find(present.key)
        return None if later is present else later

    async def _fetch(
        self, key: CacheKey, lookup: Lookup, fetch: Fetch, outcome: CacheOutcome, flight: Flight[Fetched]
    ) -> Fetched:
        if lookup.shared and outcome is not CacheOutcome.FORCED:
            # An earlier flight may have landed while this read's first look was on its way.
            lookup = await self._store.look(key)
            if lookup.entry is not None and is_fresh(lookup.entry, self._now()):
                return Fetched(lookup.entry, CacheOutcome.COLLAPSED, stored=True, shared=lookup.shared)
        try:
            entry = await fetch()
        except Exception as error:
            stale = None if outcome is CacheOutcome.FORCED else await self._stand_in(key, error)
            if stale is None:
                raise
            return stale
        seconds = remaining_life(entry, self._now())
        if seconds <= 0:
            return Fetched(entry, CacheOutcome.BYPASS, stored=False)
        # A flight that began later has seen more; its entry must not be replaced by this one's.
        storable = lookup.storable and not flight.superseded
        stored = storable and await self._store.put(key, lookup, entry, seconds)
        return Fetched(entry, outcome, stored)

    async def _stand_in(self, key: CacheKey, error: Exception) -> Fetched | None:
        if not self._excuses(error):
            return None
        # Looked up again: a write since the read began has invalidated the entry of then.
        lookup = await self._store.look(key)
        if lookup.entry is None or not may_stand_in(lookup.entry, self._now()):
            return None
        return Fetched(lookup.entry, CacheOutcome.STALE_IF_ERROR, stored=True, shared=lookup.shared)

    def _revalidate(self, key: CacheKey, lookup: Lookup, fetch: Fetch) -> None:
        flight_key = key.tenant, key.digest, lookup.stamp
        if self._flights.find(flight_key) is None:
            flight = self._flights.start(flight_key, partial(self._fetch, key, lookup, fetch, CacheOutcome.MISS))
            self._keep(self._revalidations, self._flights.hold(flight))

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

    def _serve(self, entry: CacheEntry, outcome: CacheOutcome, *, stored: bool, shared: bool = False) -> Served:
        self._observer.looked_up(outcome)
        return Served(entry, outcome, age_of(entry, self._now()), stored, shared)
