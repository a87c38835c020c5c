"""A store that workers and replicas share, with a first level in each process."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from redis.asyncio import Redis

from app.policies.cache import keys
from app.policies.cache.flights import Flight, Flights
from app.policies.cache.health import Health
from app.policies.cache.invalidations import Invalidation
from app.policies.cache.level import Level
from app.policies.cache.link import TRUST, Link
from app.policies.cache.model import Answer, Place
from app.policies.cache.scripts import Found, Scripts
from app.policies.cache.sealing import Sealer, Sealers, Unsealable
from app.policies.cache.store import Change, Lease, Lookup, Stamp, Usage
from app.storage.valkey import UNAVAILABLE
from app.tenants.master_keys import MasterKey

T = TypeVar("T")


class ValkeyStore:
    """A `CacheStore` on Valkey or Redis. Until `running()` has reached it, and after it, it counts as down.

    While it is down, tokens of the process let reads that happen at once share a fetch; nothing is stored or served.

    Args:
        client: a connection to the store.
        master_key: tenants' names in the store and the keys of their entries are derived from it.
        local_bytes: how much memory the process's own answers may take; 0 for none.
        timeout: seconds that a command may take, waiting for a connection included.
        largest: bytes of the largest entry that is stored, encrypted.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        client: Redis,
        master_key: MasterKey,
        *,
        local_bytes: int,
        timeout: float = 0.25,
        largest: int = 524_288,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scripts = Scripts(client, timeout)
        self._sealers = Sealers(master_key)
        self._largest = largest
        self._failed: Callable[[str], None] = lambda _action: None
        self._level = Level(local_bytes, clock)
        self._health = Health(clock)
        self._link = Link(
            client, self._scripts, self._health, self._level, timeout=timeout, make_up=self._make_up, clock=clock
        )
        self._looks: Flights[Lookup] = Flights()

    @asynccontextmanager
    async def running(self, failed: Callable[[str], None]) -> AsyncIterator[None]:
        """Use the store while the context is open; it begins when the store has been reached, or could not be."""
        self._failed = failed
        async with self._link.running(failed):
            try:
                yield
            finally:
                await self._looks.aclose()
                await self._scripts.aclose()

    def usage(self) -> Usage:
        """Return what this process itself holds."""
        return self._level.usage()

    def peek(self, place: Place) -> Answer | None:
        """Return what this process itself holds that is valid, however old."""
        if not self._link.trusted() or not self._health.up:
            return None
        return self._level.get(self._sealers.of(place.tenant).name, place.key, place.tags)

    async def look(self, place: Place, *, afresh: bool = False) -> Lookup:
        """Return what is known about a place, in one round trip that reads at the same time share."""
        local = self._level.stamp(self._sealers.of(place.tenant).name, place.tags)
        if not self._health.up:
            return self._alone(local)
        if afresh or not self._link.trusted():
            return await self._look(place, local)
        # The process's tokens tell of every write that has ended: no read gets to know what was before one.
        key = place.tenant, place.key, local
        flight = self._looks.find(key) or self._looks.start(key, partial(self._look, place, local))
        return await self._looks.wait(flight)

    async def put(self, place: Place, lookup: Lookup, answer: Answer, seconds: float, lease: Lease | None) -> bool:
        """Store an answer for a time, unless a token changed since or it is too large."""
        sealer = self._sealers.of(place.tenant)
        entry = keys.entry_key(sealer.name, place.key)
        sealed = sealer.seal(entry, answer, lookup.stamp)
        if len(sealed) > self._largest:
            if lease is not None:
                await self.release(lease)
            return False
        tokens = keys.token_keys(sealer.name, place.tags)
        lock = lease or Lease(keys.lock_key(sealer.name, place.key, lookup.stamp), "")
        stored = await self._attempt(
            "store", lambda: self._scripts.put(entry, lock, tokens, lookup.stamp, sealed, seconds)
        )
        if stored:
            self._level.put(sealer.name, place.key, place.tags, answer, lookup.level_stamp)
        return bool(stored)

    async def acquire(self, place: Place, lookup: Lookup, seconds: float) -> Lease | None:
        """Return the right to fetch, or None if another replica has it; everybody has it while the store is down."""
        name = keys.lock_key(self._sealers.of(place.tenant).name, place.key, lookup.stamp)
        lease = Lease(name, secrets.token_hex(8))
        granted = await self._attempt("lock", lambda: self._scripts.lock(lease, seconds))
        return None if granted is False else lease

    async def release(self, lease: Lease) -> None:
        """Give the right to fetch back; if the store cannot be reached, its time runs out."""
        await self._attempt("lock", lambda: self._scripts.release(lease))

    async def begin(self, change: Change, seconds: float) -> None:
        """Make what a write touches invalid in every replica, and keep it out until the write's end.

        A write whose end never comes, because the process crashed, is over after `seconds`.
        """
        name = self._sealers.of(change.tenant).name
        local = Change(name, change.tags, change.writer)
        self._level.begin(local, seconds)
        told = Invalidation(self._link.replica, name, change.tags)
        await self._renew(told, keys.tag_keys(name, change.tags), change.writer, seconds)
        self._level.renew(name, change.tags)

    async def end(self, change: Change) -> None:
        """Make what a write touched invalid again, and wait for every replica to confirm that, for 0.8 s at most.

        Where nobody can be told because the store has just been lost, wait until it has been found again or everybody
        has noticed this replica's silence, 1.8 s at most.
        """
        name = self._sealers.of(change.tenant).name
        told = Invalidation(self._link.replica, name, change.tags, confirm=True)
        try:
            await self._renew(told, keys.tag_keys(name, change.tags), change.writer)
        finally:
            self._level.end(Change(name, change.tags, change.writer))

    async def purge(self, tenant: str | None, tag: str | None) -> None:
        """Make everything invalid, or what belongs to a tenant, or to one of its tags; if not now, then once it can."""
        name = None if tenant is None else self._sealers.of(tenant).name
        tags = None if tag is None else (tag,)
        if name is None:
            tokens = [keys.EVERYTHING]
            self._level.clear()
        else:
            tokens = [keys.tenant_key(name)] if tags is None else keys.tag_keys(name, tags)
            self._level.renew(name, tags)
        await self._renew(Invalidation(self._link.replica, name, tags, confirm=True), tokens)

    async def _look(self, place: Place, local: Stamp, _flight: Flight[Lookup] | None = None) -> Lookup:
        sealer = self._sealers.of(place.tenant)
        entry = keys.entry_key(sealer.name, place.key)
        tokens, marks = keys.token_keys(sealer.name, place.tags), keys.mark_keys(sealer.name, place.tags)
        losses = self._health.moment.losses
        found = await self._attempt("read", lambda: self._scripts.look(entry, tokens, marks, self._link.replica))
        if found is None or self._health.moment.losses != losses:
            return self._alone(local)
        storable = not found.writing and not found.silent and not self._level.writing(sealer.name, place.tags)
        answer = self._opened(sealer, entry, found) if storable else None
        if answer is not None:
            self._level.put(sealer.name, place.key, place.tags, answer, local)
        return Lookup(answer, found.stamp, local, storable, shared=True, certain=not found.silent)

    def _alone(self, local: Stamp) -> Lookup:
        return Lookup(None, local, local, storable=False, certain=False)

    def _opened(self, sealer: Sealer, entry: str, found: Found) -> Answer | None:
        if found.sealed is None:
            return None
        try:
            answer, stamp = sealer.open(entry, found.sealed)
        except Unsealable:
            self._failed("decrypt")
            return None
        return answer if stamp == found.stamp else None

    async def _renew(self, told: Invalidation, tokens: Sequence[str], writer: str = "", seconds: float = 0) -> None:
        if await self._tell(told, tokens, writer, seconds) or not told.confirm:
            return
        if await self._link.found_again():
            await self._tell(told, tokens, writer, seconds)

    async def _tell(self, told: Invalidation, tokens: Sequence[str], writer: str, seconds: float) -> bool:
        marks = keys.mark_keys(told.tenant, told.tags) if writer and told.tenant and told.tags else ()
        with self._link.receipts.expecting(told) as receipt:
            count = await self._attempt(
                "invalidate", lambda: self._scripts.renew(tokens, marks, writer, seconds, told), writing=True
            )
            if count is None:
                self._health.missed()
            elif told.confirm and not await receipt.complete(count, TRUST):
                self._failed("acknowledge")
        return count is not None

    async def _attempt(self, action: str, command: Callable[[], Awaitable[T]], *, writing: bool = False) -> T | None:
        """Return what a command returns, or None if the store is down, or goes down with it."""
        if not (self._health.reachable if writing else self._health.up):
            return None
        try:
            return await command()
        except UNAVAILABLE:
            self._health.failed()
            self._failed(action)
            return None

    async def _make_up(self) -> None:
        self._level.clear()
        await self._scripts.renew([keys.EVERYTHING], (), "", 0, Invalidation(self._link.replica))
