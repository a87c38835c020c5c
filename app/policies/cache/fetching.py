"""One fetch on behalf of everyone who waits for it, in this process and in the others."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from app.policies.cache.flights import Flight
from app.policies.cache.freshness import is_fresh, may_stand_in, remaining_life
from app.policies.cache.model import Answer, Outcome, Place
from app.policies.cache.store import CacheStore, Lease, Lookup

Fetch = Callable[[], Awaitable[Answer]]

_FIRST_POLL = 0.005
_POLL_GROWTH = 1.6
_LONGEST_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Landed:
    """What a flight brought.

    Args:
        answer: the answer.
        outcome: how the one who began the flight came by it.
        stored: whether the cache holds it now.
        shared: whether it came from the shared store.
    """

    answer: Answer
    outcome: Outcome
    stored: bool
    shared: bool = False

    def collapsed(self) -> "Landed":
        """Return the same as it looks to one who joined the flight."""
        return self if self.outcome is Outcome.STALE_IF_ERROR else replace(self, outcome=Outcome.COLLAPSED)


Landing = Flight[Landed]


@dataclass(slots=True)
class _Turn:
    lookup: Lookup
    lease: Lease | None = None


class Fetcher:
    """Fetches answers and stores them.

    Args:
        store: where they are stored.
        excuses: tells whether a stale answer may stand in for a failed fetch.
        seconds: how long a fetch takes at most.
        now: returns the Unix time.
    """

    def __init__(
        self,
        store: CacheStore,
        *,
        excuses: Callable[[Exception], bool],
        seconds: float,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._excuses = excuses
        self._seconds = seconds
        self._now = now

    async def at_once(self, place: Place, lookup: Lookup, fetch: Fetch, flight: Landing) -> Landed:
        """Fetch whatever others are doing.

        Raises:
            Exception: what `fetch` raised.
        """
        return await self._fetch(place, _Turn(lookup), fetch, flight, Outcome.FORCED)

    async def in_turn(self, place: Place, lookup: Lookup, fetch: Fetch, flight: Landing) -> Landed:
        """Return what another replica fetches meanwhile, or fetch; if that fails, what may stand in for it.

        Raises:
            Exception: what `fetch` raised, and nothing may stand in.
        """
        turn = _Turn(lookup)
        try:
            await self._take(turn, place)
            answer = self._fresh(turn.lookup)
            if answer is not None:
                return Landed(answer, Outcome.COLLAPSED, stored=True, shared=turn.lookup.shared)
            return await self._fetch(place, turn, fetch, flight, Outcome.MISS)
        except Exception as error:
            stale = await self._stand_in(place, error)
            if stale is None:
                raise
            return stale
        finally:
            if turn.lease is not None:
                await self._store.release(turn.lease)

    async def _take(self, turn: _Turn, place: Place) -> None:
        """Wait until there is a fresh answer, or it is this replica's turn to fetch one, or waiting leads nowhere."""
        deadline, poll = time.monotonic() + self._seconds, _FIRST_POLL
        while turn.lookup.storable and turn.lease is None and time.monotonic() < deadline:
            turn.lease = await self._store.acquire(place, turn.lookup, self._seconds)
            if turn.lease is None:
                await asyncio.sleep(poll)
                poll = min(poll * _POLL_GROWTH, _LONGEST_POLL)
            # Whoever had the lease before may have stored an answer after this read's first look.
            turn.lookup = await self._store.look(place, afresh=True)
            if self._fresh(turn.lookup) is not None:
                return

    def _fresh(self, lookup: Lookup) -> Answer | None:
        return lookup.answer if lookup.answer is not None and is_fresh(lookup.answer, self._now()) else None

    async def _fetch(self, place: Place, turn: _Turn, fetch: Fetch, flight: Landing, outcome: Outcome) -> Landed:
        answer = await fetch()
        seconds = remaining_life(answer, self._now())
        if seconds <= 0:
            return Landed(answer, Outcome.BYPASS, stored=False)
        # A flight that began later has seen more; its answer must not be replaced by this one's.
        if flight.superseded or not turn.lookup.storable:
            return Landed(answer, outcome, stored=False)
        lease, turn.lease = turn.lease, None
        stored = await self._store.put(place, turn.lookup, answer, seconds, lease)
        return Landed(answer, outcome, stored)

    async def _stand_in(self, place: Place, error: Exception) -> Landed | None:
        if not self._excuses(error):
            return None
        # Asked again: a write since the read began has made the answer of then invalid.
        lookup = await self._store.look(place, afresh=True)
        if lookup.answer is None or not may_stand_in(lookup.answer, self._now()):
            return None
        return Landed(lookup.answer, Outcome.STALE_IF_ERROR, stored=True, shared=lookup.shared)
