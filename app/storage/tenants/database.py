"""The repository over a database."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from app.storage.database.database import Database, Work
from app.storage.tenants import key_work, tenant_work
from app.storage.tenants.models import CreatedKey, KeyRecord, NewKey, Page, TenantPatch, TenantRecord
from app.storage.tenants.tenant_work import Changes
from app.storage.tenants.writing import check_master_keys
from app.tenants.models import Tenant, UpstreamAccount
from app.tenants.vault import Vault

T = TypeVar("T")

USES_APART = timedelta(minutes=5)
"""How exactly the last use of a key is kept."""


class DatabaseTenantRepository:
    """A `TenantRepository` in a database that several processes may share.

    Args:
        database: the database; whoever made it keeps it running.
        vault: encrypts and decrypts secrets.
        changed: told the id of each tenant that was changed here, once that is visible to everybody.
        now: returns the current time as an aware datetime; the system's clock by default.
    """

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
        """See whether the master keys at hand are the database's.

        Raises:
            MasterKeyMissing: they are not.
            DatabaseError: the database cannot be used.
        """
        await self._database.run(partial(check_master_keys, vault=self._vault, moment=self._now()))

    async def add(self, tenant: Tenant) -> TenantRecord:
        """Add a tenant.

        Raises:
            Conflict: the id is in use.
            ValueError: it comes with keys.
        """
        if tenant.keys:
            raise ValueError("keys are made with create_key")
        return await self._write(
            tenant.id, partial(tenant_work.add, tenant=tenant, vault=self._vault, moment=self._now())
        )

    async def get(self, tenant_id: str) -> TenantRecord:
        """Return a tenant without its secrets.

        Raises:
            Missing: there is none.
        """
        return await self._read(partial(tenant_work.get, tenant_id=tenant_id))

    async def open(self, tenant_id: str, *, staged: bool = False) -> Tenant:
        """Return a tenant with its secrets, and on demand with the staged login.

        Raises:
            Missing: there is no such tenant, or no staged login.
            MasterKeyMissing: its secrets cannot be decrypted.
            SecretDamaged: they are not what was written.
        """
        return await self._read(partial(tenant_work.opened, tenant_id=tenant_id, staged=staged, vault=self._vault))

    async def list(self, *, offset: int = 0, limit: int = 50) -> Page[TenantRecord]:
        """Return tenants in the order of their ids."""
        return await self._read(partial(tenant_work.listed, offset=offset, limit=limit))

    async def update(self, tenant_id: str, patch: TenantPatch, *, revision: int | None = None) -> TenantRecord:
        """Change the fields that are set in `patch`.

        Raises:
            Missing: there is no such tenant.
            Conflict: it has another revision by now.
        """
        return await self._change(tenant_id, partial(tenant_work.patched, patch=patch, vault=self._vault), revision)

    async def delete(self, tenant_id: str) -> None:
        """Delete a tenant and its keys.

        Raises:
            Missing: there is no such tenant.
        """
        await self._write(tenant_id, partial(tenant_work.remove, tenant_id=tenant_id))

    async def stage(self, tenant_id: str, login: UpstreamAccount) -> TenantRecord:
        """Keep a new login beside the present one.

        Raises:
            Missing: there is no such tenant.
        """
        return await self._change(tenant_id, partial(tenant_work.staging, login=login, vault=self._vault))

    async def confirm(self, tenant_id: str) -> TenantRecord:
        """Put the staged login in the place of the present one.

        Raises:
            Missing: there is no such tenant, or no staged login.
        """
        return await self._change(tenant_id, partial(tenant_work.confirming, vault=self._vault))

    async def rollback(self, tenant_id: str) -> TenantRecord:
        """Drop the staged login.

        Raises:
            Missing: there is no such tenant, or no staged login.
        """
        return await self._change(tenant_id, partial(tenant_work.rolling_back, vault=self._vault))

    async def create_key(self, tenant_id: str, new: NewKey) -> CreatedKey:
        """Make a key.

        Raises:
            Missing: there is no such tenant.
            Conflict: it has, or had, a key with this id.
        """
        return await self._write(tenant_id, partial(key_work.create, tenant_id=tenant_id, new=new, moment=self._now()))

    async def list_keys(
        self, tenant_id: str | None = None, *, revoked: bool = False, offset: int = 0, limit: int = 50
    ) -> Page[KeyRecord]:
        """Return keys in the order of their tenants and ids.

        Raises:
            Missing: there is no such tenant.
        """
        return await self._read(
            partial(key_work.listed, tenant_id=tenant_id, revoked=revoked, offset=offset, limit=limit)
        )

    async def revoke_key(self, tenant_id: str, key_id: str) -> KeyRecord:
        """End a key's validity.

        Raises:
            Missing: there is no such tenant or key.
        """
        return await self._write(
            tenant_id, partial(key_work.revoke, tenant_id=tenant_id, key_id=key_id, moment=self._now())
        )

    async def touch(self, uses: Mapping[tuple[str, str], datetime]) -> None:
        """Write down when keys were last used, unless that was written down less than `USES_APART` before."""
        if uses:
            await self._database.run(partial(key_work.touch, uses=uses, apart=USES_APART))

    async def rotate_master(self) -> int:
        """Encrypt every tenant's data key with the current master key; return how many had another one.

        Raises:
            MasterKeyMissing: a data key cannot be decrypted; the batches before it are done.
        """
        total = 0
        while done := await self._database.run(partial(tenant_work.rewrap_some, vault=self._vault, moment=self._now())):
            total += done
        return total

    async def _change(self, tenant_id: str, changes: Changes, revision: int | None = None) -> TenantRecord:
        work = partial(tenant_work.change, tenant_id=tenant_id, changes=changes, revision=revision, moment=self._now())
        return await self._write(tenant_id, work)

    async def _read(self, work: Work[T]) -> T:
        return await self._database.run(work, reads_only=True)

    async def _write(self, tenant_id: str, work: Work[T]) -> T:
        try:
            return await self._database.run(work)
        finally:
            # Even when it failed: an answer that got lost may have been a change.
            self._changed(tenant_id)
