"""A tenant store over a database that looks up what is asked for and remembers it."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Row

from app.errors import DatabaseError, StateUnavailable
from app.storage.database.database import Database
from app.storage.tenants import lookups
from app.storage.tenants.lookups import KeyUsage
from app.storage.tenants.remembered import Answer, Flights, Question, Remembered, Version
from app.storage.tenants.repository import USES_APART, TenantRepository
from app.storage.tenants.rows import api_key, opened_tenant
from app.tasks import beside
from app.tenants.models import ApiKey, Tenant
from app.tenants.store import NO_DIGEST, Identity, hash_key
from app.tenants.vault import Vault

log = structlog.get_logger(__name__)


class DatabaseTenantStore:
    """A `TenantStore` over a database that others change too.

    Tenants are read when they are first asked for, never all of them, and come without their keys; a tenant stays the
    same object until it changes. Changes made through `repository` count at once, those of other processes after
    `interval`. While the database cannot be reached, what is remembered stays valid for `trusted_for` seconds, so that
    a revoked key may live that long; everything else is refused.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        interval: float = 0.25,
        trusted_for: float = 60.0,
        flush_interval: float = 15.0,
        most: int = 20_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect the parts; nothing is read yet."""
        self.repository = TenantRepository(database, vault, changed=self._forget)
        self._database = database
        self._vault = vault
        self._interval = interval
        self._trusted_for = trusted_for
        self._flush_interval = flush_interval
        self._monotonic = monotonic
        self._remembered = Remembered(most, monotonic)
        self._flights: Flights[Question, Answer] = Flights()
        self._usage = KeyUsage(self.repository.touch, apart=USES_APART.total_seconds(), monotonic=monotonic)
        self._seen = 0
        self._current_at = float("-inf")

    async def identify(self, key: str) -> Identity | None:
        digest = hash_key(key)
        return self._noted(key, digest, await self._answer(("key", digest)))

    async def find(self, tenant_id: str) -> Tenant | None:
        tenant = await self._answer(("tenant", tenant_id))
        return tenant if isinstance(tenant, Tenant) else None

    async def with_events(self) -> Mapping[str, int]:
        """Return the ids of tenants that want events, with their requests a minute."""
        return await self._database.run(lookups.with_events, reads_only=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.repository.check()
        self._remembered.forget_all()
        self._current_at = self._monotonic()
        self._seen = await self._database.run(lookups.last_change, reads_only=True)
        try:
            async with beside(self._follow(), self._write_usage()):
                yield
        finally:
            self._current_at = float("-inf")
            await self._usage.flush()

    def _noted(self, key: str, digest: str, answer: Answer) -> Identity | None:
        found = answer if isinstance(answer, Identity) else None
        expected = found.key.sha256 if found else NO_DIGEST
        if not hmac.compare_digest(digest, expected) or not key or found is None:
            return None
        self._usage.note(found.tenant.id, found.key.id)
        return found

    def _remembered_answer(self, question: Question) -> tuple[bool, Answer]:
        """Tell whether the answer is known and may be trusted, and the answer."""
        if self._monotonic() - self._current_at < self._trusted_for:
            return self._remembered.recall(question)
        return False, None

    async def _answer(self, question: Question) -> Answer:
        known, answer = self._remembered_answer(question)
        if known:
            return answer
        try:
            return await self._flights.join(question, lambda: self._look_up(question))
        except DatabaseError as error:
            log.error("tenant_not_read", reason=str(error))
            raise StateUnavailable(
                "The database of tenants and keys cannot be used. Nothing was sent.", headers={"Retry-After": "2"}
            ) from None

    async def _look_up(self, question: Question) -> Answer:
        epoch = self._remembered.epoch
        kind, value = question
        work = partial(lookups.by_digest, digest=value) if kind == "key" else partial(lookups.by_id, tenant_id=value)
        row = await self._database.run(work, reads_only=True)
        tenant = None if row is None else self._tenant_in(row)
        answer = Identity(tenant, _key_in(row)) if kind == "key" and row and tenant else tenant
        # What has changed meanwhile may be missing from it.
        if epoch == self._remembered.epoch:
            self._remembered.remember(question, answer)
        return answer

    def _tenant_in(self, row: Row[Any]) -> Tenant:
        # A tenant that was deleted and added again begins with the same revision; no two encryptions are alike.
        stamp = row.revision, row.password
        known = self._remembered.version(row.id)
        if known is not None and known.stamp == stamp:
            return known.tenant
        tenant = opened_tenant(row, self._vault)
        self._remembered.read(Version(tenant, stamp))
        return tenant

    def _forget(self, tenant_id: str) -> None:
        self._remembered.forget(tenant_id)
        self._flights.leave()

    async def _follow(self) -> None:
        reachable = True
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._catch_up()
                reachable = True
            except DatabaseError as error:
                if reachable:
                    log.warning("tenant_changes_unknown", reason=str(error), trusted_for=self._trusted_for)
                reachable = False
            except Exception:
                log.exception("tenant_changes_unknown", reason="unexpected")

    async def _catch_up(self) -> None:
        began = self._monotonic()
        while True:
            work = partial(lookups.changes_after, number=self._seen)
            changes = await self._database.run(work, reads_only=True)
            if not changes.tenants:
                break
            for tenant_id in changes.tenants:
                self._forget(tenant_id)
            self._seen = changes.number
        self._current_at = began

    async def _write_usage(self) -> None:
        while True:
            await asyncio.sleep(self._flush_interval)
            await self._usage.flush()


def _key_in(row: Row[Any]) -> ApiKey:
    fields = row._asdict()
    return api_key({**fields, "id": fields["key_id"]})
