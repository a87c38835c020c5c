"""The interface through which tenants and keys are administered."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from app.storage.tenants.models import CreatedKey, KeyRecord, NewKey, Page, TenantPatch, TenantRecord
from app.tenants.models import Tenant, UpstreamAccount


class TenantRepository(Protocol):
    """Tenants and keys that can be changed.

    Every method may raise `DatabaseError` where the database cannot be used; whether a change was made is then not
    known. Methods that take a tenant's id raise `Missing` where there is none.
    """

    async def add(self, tenant: Tenant) -> TenantRecord:
        """Add a tenant; its keys are made with `create_key`.

        Raises:
            Conflict: the id is in use.
            ValueError: it comes with keys.
        """

    async def get(self, tenant_id: str) -> TenantRecord:
        """Return a tenant without its secrets."""

    async def open(self, tenant_id: str, *, staged: bool = False) -> Tenant:
        """Return a tenant with its secrets and without its keys, as calls to the platform need it.

        Args:
            tenant_id: the tenant.
            staged: whether it is to have the staged login instead of the present one, so that it can be tried.

        Raises:
            Missing: there is no staged login.
            MasterKeyMissing: its secrets cannot be decrypted.
            SecretDamaged: they are not what was written.
        """

    async def list(self, *, offset: int = 0, limit: int = 50) -> Page[TenantRecord]:
        """Return tenants in the order of their ids."""

    async def update(self, tenant_id: str, patch: TenantPatch, *, revision: int | None = None) -> TenantRecord:
        """Change the fields that are set in `patch`.

        Args:
            tenant_id: the tenant.
            patch: the changes.
            revision: the revision they were decided on; any by default.

        Raises:
            Conflict: the tenant has another revision by now.
        """

    async def delete(self, tenant_id: str) -> None:
        """Delete a tenant and its keys for good."""

    async def stage(self, tenant_id: str, login: UpstreamAccount) -> TenantRecord:
        """Keep a new login beside the present one, which stays in use; one that was staged before is dropped."""

    async def confirm(self, tenant_id: str) -> TenantRecord:
        """Put the staged login in the place of the present one.

        Raises:
            Missing: there is none.
        """

    async def rollback(self, tenant_id: str) -> TenantRecord:
        """Drop the staged login.

        Raises:
            Missing: there is none.
        """

    async def create_key(self, tenant_id: str, new: NewKey) -> CreatedKey:
        """Make a key. To replace one, make another, move clients over, and revoke the first.

        Raises:
            Conflict: the tenant has, or had, a key with this id.
        """

    async def list_keys(
        self, tenant_id: str | None = None, *, revoked: bool = False, offset: int = 0, limit: int = 50
    ) -> Page[KeyRecord]:
        """Return keys in the order of their tenants and ids.

        Args:
            tenant_id: whose keys; those of all tenants by default.
            revoked: whether revoked ones are among them.
            offset: how many to leave out.
            limit: how many to return at most.
        """

    async def revoke_key(self, tenant_id: str, key_id: str) -> KeyRecord:
        """End a key's validity for good; a key that is revoked already stays as it is.

        Raises:
            Missing: the tenant has no such key.
        """

    async def touch(self, uses: Mapping[tuple[str, str], datetime]) -> None:
        """Write down when keys were last used.

        Args:
            uses: moments by tenant id and key id; unknown ones are left out.
        """

    async def rotate_master(self) -> int:
        """Encrypt every tenant's data key with the current master key, in batches; return how many had another one.

        If it is interrupted, the next one goes on where it ended.

        Raises:
            MasterKeyMissing: a data key cannot be decrypted; those before it are done.
        """
