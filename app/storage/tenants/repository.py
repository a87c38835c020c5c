"""Administration of tenants and API keys in the database."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from app.storage.database.database import Database, EngineWork
from app.storage.tenants import key_statements, statements
from app.storage.tenants.models import CreatedKey, KeyRecord, NewKey, RepositoryPage, TenantPatch, TenantRecord
from app.storage.tenants.statements import Changes
from app.tenants.models import Tenant, UpstreamAccount
from app.tenants.vault import Vault

T = TypeVar("T")

USES_APART = timedelta(minutes=5)
"""How exactly the last use of a key is kept."""


class TenantRepository:
    """Tenants and API keys that can be changed, in a database that several processes may share."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        changed: Callable[[str], None] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._changed = changed or (lambda _tenant_id: None)
        self._now = now or (lambda: datetime.now(UTC))

    async def check(self) -> None:
        """See whether the master keys at hand are the database's."""
        await self._database.run(partial(statements.check_master_keys, vault=self._vault, moment=self._now()))

    async def add(self, tenant: Tenant) -> TenantRecord:
        if tenant.keys:
            raise ValueError("keys are made with create_key")
        return await self._write(
            tenant.id, partial(statements.add, tenant=tenant, vault=self._vault, moment=self._now())
        )

    async def get(self, tenant_id: str) -> TenantRecord:
        """Return a tenant without its secrets."""
        return await self._read(partial(statements.get, tenant_id=tenant_id))

    async def open(self, tenant_id: str, *, staged: bool = False) -> Tenant:
        """Return a tenant with its secrets, and on demand with the staged login."""
        return await self._read(partial(statements.opened, tenant_id=tenant_id, staged=staged, vault=self._vault))

    async def list(self, *, offset: int = 0, limit: int = 50) -> RepositoryPage[TenantRecord]:
        """Return tenants in the order of their ids."""
        return await self._read(partial(statements.list_tenants, offset=offset, limit=limit))

    async def update(self, tenant_id: str, patch: TenantPatch, *, revision: int | None = None) -> TenantRecord:
        """Change the fields that are set in `patch`."""
        return await self._change(tenant_id, partial(statements.patched, patch=patch, vault=self._vault), revision)

    async def delete(self, tenant_id: str) -> None:
        await self._write(tenant_id, partial(statements.remove, tenant_id=tenant_id))

    async def stage(self, tenant_id: str, login: UpstreamAccount) -> TenantRecord:
        """Keep a new login beside the present one."""
        return await self._change(tenant_id, partial(statements.staging, login=login, vault=self._vault))

    async def confirm(self, tenant_id: str) -> TenantRecord:
        """Put the staged login in the place of the present one."""
        return await self._change(tenant_id, partial(statements.confirming, vault=self._vault))

    async def rollback(self, tenant_id: str) -> TenantRecord:
        """Drop the staged login."""
        return await self._change(tenant_id, partial(statements.rolling_back, vault=self._vault))

    async def create_key(self, tenant_id: str, new: NewKey) -> CreatedKey:
        return await self._write(
            tenant_id, partial(key_statements.create_key, tenant_id=tenant_id, new=new, moment=self._now())
        )

    async def list_keys(
        self, tenant_id: str | None = None, *, revoked: bool = False, offset: int = 0, limit: int = 50
    ) -> RepositoryPage[KeyRecord]:
        """Return keys in the order of their tenants and ids."""
        return await self._read(
            partial(key_statements.list_keys, tenant_id=tenant_id, revoked=revoked, offset=offset, limit=limit)
        )

    async def revoke_key(self, tenant_id: str, key_id: str) -> KeyRecord:
        """End a key's validity."""
        return await self._write(
            tenant_id, partial(key_statements.revoke_key, tenant_id=tenant_id, key_id=key_id, moment=self._now())
        )

    async def rotate_key(
        self, tenant_id: str, key_id: str, ends_at: datetime, *, new_id: str | None = None
    ) -> tuple[CreatedKey, KeyRecord]:
        """Make a key with the rights of another, which then ends; both in one transaction."""
        work = partial(
            key_statements.rotate_key,
            tenant_id=tenant_id,
            key_id=key_id,
            ends_at=ends_at,
            new_id=new_id,
            moment=self._now(),
        )
        return await self._write(tenant_id, work)

    async def touch(self, uses: Mapping[tuple[str, str], datetime]) -> None:
        """Write down when keys were last used, unless that was written down less than `USES_APART` before."""
        if uses:
            await self._database.run(partial(key_statements.touch, uses=uses, apart=USES_APART))

    async def rotate_master(self) -> int:
        """Encrypt every tenant's data key with the current master key; return how many had another one."""
        total = 0
        while done := await self._database.run(partial(statements.rewrap_some, vault=self._vault, moment=self._now())):
            total += done
        return total

    async def _change(self, tenant_id: str, changes: Changes, revision: int | None = None) -> TenantRecord:
        work = partial(statements.change, tenant_id=tenant_id, changes=changes, revision=revision, moment=self._now())
        return await self._write(tenant_id, work)

    async def _read(self, work: EngineWork[T]) -> T:
        return await self._database.run(work, reads_only=True)

    async def _write(self, tenant_id: str, work: EngineWork[T]) -> T:
        try:
            return await self._database.run(work)
        finally:
            # Even when it failed: an answer that got lost may have been a change.
            self._changed(tenant_id)
