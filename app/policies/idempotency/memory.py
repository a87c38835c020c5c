"""Idempotency keys in the memory of the one process."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from app.policies.errands import Errands
from app.policies.idempotency.claims import Claim
from app.policies.idempotency.models import Phase, Record, StoredAnswer, StoreUnavailable
from app.policies.leases import Sleep

_DAY = 86_400.0


class MemoryIdempotencyStore:
    """An `IdempotencyStore` for one process, which forgets everything when it ends."""

    def __init__(
        self,
        *,
        most: int = 100_000,
        retention: float = _DAY,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Make an empty store.

        Args:
            most: records kept of each tenant; beyond them new keys are refused, because none may be forgotten early.
            retention: seconds a record is kept after it was last written.
            clock: returns the time in seconds.
            sleep: waits for some seconds.
        """
        self._most = most
        self._sleep = sleep
        self._errands = Errands()
        self._records = _Records(retention, clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing; there is nothing to open."""
        yield

    async def check(self) -> None:
        """Do nothing; memory is always there."""

    async def claim(
        self, tenant: str, key: str, *, head: str, body: str | None, request_id: str, lease: float
    ) -> Claim | Record:
        """Claim a key for a request, or return what is known of the one that has it.

        Raises:
            StoreUnavailable: the tenant has as many keys as are kept.
        """
        record = Record(Phase.CLAIMED, head, body, request_id)
        present = self._records.seen(tenant, key)
        if present is None and self._records.count(tenant) >= self._most:
            raise StoreUnavailable("The tenant has used as many idempotency keys as are kept.")
        if present is not None:
            if not present.gives_way(record):
                return present
            record = replace(record, body=body or present.body)
        slot = _Slot(self._records, tenant, key, lease)
        self._records.put(tenant, key, record, slot, lease)
        return Claim(slot, record, lease=lease, sleep=self._sleep, errands=self._errands)

    async def settle(self, tenant: str, key: str, answer: StoredAnswer, *, request_id: str) -> bool:
        """Give an answer to a request that died while `SENDING`; tell whether it was still so."""
        present = self._records.seen(tenant, key)
        if present is None or not present.is_unsettled(request_id):
            return False
        self._records.put(tenant, key, present.settled(answer), None, 0)
        return True


@dataclass(frozen=True, slots=True)
class _Entry:
    record: Record
    holder: "_Slot | None"
    leased_until: float
    kept_until: float


class _Records:
    def __init__(self, retention: float, clock: Callable[[], float]) -> None:
        self._retention = retention
        self._clock = clock
        self._tenants: dict[str, dict[str, _Entry]] = {}

    def count(self, tenant: str) -> int:
        return len(self._tenants.get(tenant, ()))

    def seen(self, tenant: str, key: str) -> Record | None:
        self._forget_old(tenant)
        entry = self._tenants.get(tenant, {}).get(key)
        if entry is None:
            return None
        expired = entry.leased_until <= self._clock() and entry.record.phase is not Phase.FINISHED
        return replace(entry.record, expired_lease=expired)

    def held(self, slot: "_Slot") -> Record | None:
        entry = self._tenants.get(slot.tenant, {}).get(slot.key)
        return entry.record if entry is not None and entry.holder is slot else None

    def put(self, tenant: str, key: str, record: Record, holder: "_Slot | None", lease: float) -> None:
        # What was written last is kept longest, so the oldest always stand in front.
        self.remove(tenant, key)
        now = self._clock()
        entry = _Entry(record, holder, now + lease, now + self._retention)
        self._tenants.setdefault(tenant, {})[key] = entry

    def remove(self, tenant: str, key: str) -> None:
        self._tenants.get(tenant, {}).pop(key, None)

    def _forget_old(self, tenant: str) -> None:
        entries = self._tenants.get(tenant, {})
        while entries and next(iter(entries.values())).kept_until <= self._clock():
            del entries[next(iter(entries))]


@dataclass(frozen=True, slots=True, eq=False)
class _Slot:
    records: _Records
    tenant: str
    key: str
    lease: float

    async def renew(self) -> bool:
        record = self.records.held(self)
        return record is not None and await self.write(record)

    async def write(self, record: Record) -> bool:
        if self.records.held(self) is None:
            return False
        self.records.put(self.tenant, self.key, record, self, self.lease)
        return True

    async def clear(self) -> bool:
        if self.records.held(self) is None:
            return False
        self.records.remove(self.tenant, self.key)
        return True
