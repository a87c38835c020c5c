"""Idempotency keys in Valkey or Redis, shared by workers and replicas."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import structlog
from redis.asyncio import Redis

from app.policies.errands import Errands
from app.policies.idempotency.claims import Claim
from app.policies.idempotency.models import Phase, Record, StoredAnswer
from app.policies.idempotency.scripts import Present, Scripts, Times, unavailable
from app.policies.idempotency.sealing import Sealer
from app.policies.leases import Sleep
from app.storage.valkey import UNAVAILABLE
from app.tenants.master_keys import MasterKey

log = structlog.get_logger(__name__)

_DAY = 86_400.0


class ValkeyIdempotencyStore:
    """An `IdempotencyStore` for many processes. The server must neither evict keys nor lose them when it restarts."""

    def __init__(
        self, client: Redis, master_key: MasterKey, *, retention: float = _DAY, sleep: Sleep = asyncio.sleep
    ) -> None:
        """Use a server; nothing is sent to it yet.

        Args:
            client: the connections to the server, with short time-outs; whoever made them closes them.
            master_key: what records are encrypted with; the same for all processes.
            retention: seconds a record is kept after it was last written.
            sleep: waits for some seconds.
        """
        self._client = client
        self._scripts = Scripts(client)
        self._sealer = Sealer(master_key)
        self._retention = retention
        self._sleep = sleep
        self._errands = Errands()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Warn if the server is set up to lose keys; one that is away now may be there later."""
        try:
            reasons = _losses(await self._client.info("memory"), await self._client.info("persistence"))
        except UNAVAILABLE as failure:
            reasons = [type(failure).__name__]
        for reason in reasons:
            log.warning("idempotency_store_unsafe", reason=reason)
        yield

    async def check(self) -> None:
        """See whether the server answers.

        Raises:
            StoreUnavailable: it does not.
        """
        try:
            await self._client.ping()
        except UNAVAILABLE as failure:
            raise unavailable(failure) from None

    async def claim(
        self, tenant: str, key: str, *, head: str, body: str | None, request_id: str, lease: float
    ) -> Claim | Record:
        """Claim a key for a request, or return what is known of the one that has it.

        Raises:
            StoreUnavailable: the server cannot be used, or what stands there cannot be read.
        """
        slot = self._slot(tenant, key, lease)
        record = Record(Phase.CLAIMED, head, body, request_id)
        present = await slot.create(record)
        if present is None:
            return self._claimed(slot, record)
        found = slot.seen(present)
        if not found.gives_way(record):
            return found
        record = replace(record, body=body or found.body)
        if await slot.take_over(record, present):
            return self._claimed(slot, record)
        # Somebody was quicker, just now, and so is at work.
        return replace(found, expired_lease=False)

    async def settle(self, tenant: str, key: str, answer: StoredAnswer, *, request_id: str) -> bool:
        """Give an answer to a request that died while `SENDING`; tell whether it was still so.

        Raises:
            StoreUnavailable: the server cannot be used, or what stands there cannot be read.
        """
        slot = self._slot(tenant, key, lease=0)
        present = await slot.read()
        if present is None:
            return False
        found = slot.seen(present)
        return found.is_unsettled(request_id) and await slot.take_over(found.settled(answer), present)

    def _slot(self, tenant: str, key: str, lease: float) -> "_Slot":
        name = self._sealer.name(tenant, key)
        times = Times(lease, self._retention)
        return _Slot(self._scripts, self._sealer, tenant, name, secrets.token_hex(16), times)

    def _claimed(self, slot: "_Slot", record: Record) -> Claim:
        return Claim(slot, record, lease=slot.times.lease, sleep=self._sleep, errands=self._errands)


def _losses(memory: dict[str, Any], persistence: dict[str, Any]) -> list[str]:
    reasons = []
    if memory.get("maxmemory") and memory.get("maxmemory_policy") != "noeviction":
        reasons.append("it evicts keys when memory is short; set maxmemory-policy to noeviction")
    if not persistence.get("aof_enabled"):
        reasons.append("it loses keys when it restarts; set appendonly to yes")
    return reasons


@dataclass(frozen=True, slots=True)
class _Slot:
    scripts: Scripts
    sealer: Sealer
    tenant: str
    name: str
    holder: str
    times: Times

    async def create(self, record: Record) -> Present | None:
        return await self.scripts.create(self.name, self.holder, self.times, self._sealed(record))

    async def read(self) -> Present | None:
        return await self.scripts.read(self.name)

    async def take_over(self, record: Record, present: Present) -> bool:
        sealed = self._sealed(record)
        return await self.scripts.take_over(self.name, self.holder, self.times, sealed, present=present.sealed)

    async def renew(self) -> bool:
        return await self.scripts.renew(self.name, self.holder, self.times)

    async def write(self, record: Record) -> bool:
        return await self.scripts.write_held(self.name, self.holder, self.times, self._sealed(record))

    async def clear(self) -> bool:
        return await self.scripts.clear(self.name, self.holder)

    def seen(self, present: Present) -> Record:
        record = self.sealer.unseal(self.tenant, self.name, present.sealed)
        return replace(record, expired_lease=present.expired and record.phase is not Phase.FINISHED)

    def _sealed(self, record: Record) -> bytes:
        return self.sealer.seal(self.tenant, self.name, record)
