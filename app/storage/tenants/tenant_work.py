"""What is done with tenants within a transaction."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from app.storage.database.connections import AsyncConnection
from app.storage.database.schema import api_keys, tenants
from app.storage.tenants.models import Page, TenantPatch, TenantRecord
from app.storage.tenants.rows import (
    login_columns,
    opened_staged,
    opened_tenant,
    relay_columns,
    staged_columns,
    tenant_columns,
    tenant_record,
    wrapped_key,
)
from app.storage.tenants.writing import begin, existing, number_change, register_master_key, unregister_unused
from app.tenants.errors import Conflict, Missing
from app.tenants.models import Tenant, UpstreamAccount
from app.tenants.vault import Vault, WrappedKey

_BATCH = 200
_PLAIN = ("name", "enabled", "role", "limits", "cache")

Changes = Callable[[Row[Any]], Mapping[str, Any]]
"""Says from a tenant's row which columns are to change, and how."""


async def add(connection: AsyncConnection, *, tenant: Tenant, vault: Vault, moment: datetime) -> TenantRecord:
    """Add a tenant; see `TenantRepository.add`."""
    await begin(connection)
    taken = await connection.execute(select(tenants.c.id).where(tenants.c.id == tenant.id))
    if taken.first() is not None:
        raise Conflict(f"There is a tenant {tenant.id} already.")
    await register_master_key(connection, vault, moment)
    columns = {**tenant_columns(tenant, vault), "revision": 1, "created_at": moment, "updated_at": moment}
    row = (await connection.execute(insert(tenants).values(columns).returning(*tenants.c))).one()
    await number_change(connection, tenant.id)
    return tenant_record(row)


async def get(connection: AsyncConnection, *, tenant_id: str) -> TenantRecord:
    """Return a tenant without its secrets."""
    return tenant_record(await existing(connection, tenant_id))


async def opened(connection: AsyncConnection, *, tenant_id: str, staged: bool, vault: Vault) -> Tenant:
    """Return a tenant with its secrets; see `TenantRepository.open`."""
    row = await existing(connection, tenant_id)
    tenant = opened_tenant(row, vault)
    if not staged:
        return tenant
    return tenant.model_copy(update={"upstream": opened_staged(_with_staged(row), vault)})


async def listed(connection: AsyncConnection, *, offset: int, limit: int) -> Page[TenantRecord]:
    """Return some tenants; see `TenantRepository.list`."""
    total = (await connection.execute(select(func.count()).select_from(tenants))).scalar_one()
    rows = await connection.execute(select(tenants).order_by(tenants.c.id).offset(offset).limit(limit))
    return Page(tuple(map(tenant_record, rows)), total)


async def change(
    connection: AsyncConnection, *, tenant_id: str, changes: Changes, revision: int | None, moment: datetime
) -> TenantRecord:
    """Change a tenant's columns.

    Raises:
        Missing: there is no such tenant.
        Conflict: it has another revision by now.
    """
    await begin(connection)
    row = await existing(connection, tenant_id)
    if revision is not None and row.revision != revision:
        raise Conflict(f"Tenant {tenant_id} has revision {row.revision} by now, not {revision}.")
    values = {**changes(row), "revision": row.revision + 1, "updated_at": moment}
    changed = update(tenants).where(tenants.c.id == tenant_id).values(values).returning(*tenants.c)
    record = tenant_record((await connection.execute(changed)).one())
    await number_change(connection, tenant_id)
    return record


async def remove(connection: AsyncConnection, *, tenant_id: str) -> None:
    """Delete a tenant and its keys."""
    await begin(connection)
    await existing(connection, tenant_id)
    await connection.execute(delete(api_keys).where(api_keys.c.tenant == tenant_id))
    await connection.execute(delete(tenants).where(tenants.c.id == tenant_id))
    await number_change(connection, tenant_id)


def patched(row: Row[Any], *, patch: TenantPatch, vault: Vault) -> dict[str, Any]:
    """Return the columns that a patch changes."""
    columns = {name: value for name, value in patch.model_dump(exclude_unset=True).items() if name in _PLAIN}
    if "smtp" in patch.model_fields_set:
        columns |= relay_columns(patch.smtp, vault.open(row.id, wrapped_key(row)))
    return columns


def staging(row: Row[Any], *, login: UpstreamAccount, vault: Vault) -> dict[str, Any]:
    """Return the columns that change when a login is staged."""
    return staged_columns(login, vault.open(row.id, wrapped_key(row)))


def confirming(row: Row[Any], *, vault: Vault) -> dict[str, Any]:
    """Return the columns that change when the staged login becomes the present one."""
    data_key = vault.open(row.id, wrapped_key(row))
    return {**login_columns(opened_staged(_with_staged(row), vault), data_key), **staged_columns(None, data_key)}


def rolling_back(row: Row[Any], *, vault: Vault) -> dict[str, Any]:
    """Return the columns that change when the staged login is dropped."""
    return staged_columns(None, vault.open(row.id, wrapped_key(_with_staged(row))))


async def rewrap_some(connection: AsyncConnection, *, vault: Vault, moment: datetime) -> int:
    """Encrypt some of the data keys that need it with the current master key; return how many.

    What a tenant is does not change by that, so it is no change for anybody else, and has no number.
    """
    await begin(connection)
    await register_master_key(connection, vault, moment)
    query = select(tenants.c.id, tenants.c.data_key, tenants.c.master_key).where(tenants.c.master_key != vault.current)
    rows = (await connection.execute(query.limit(_BATCH))).all()
    for row in rows:
        wrapped = vault.rewrap(row.id, WrappedKey(row.master_key, row.data_key))
        values = {"data_key": wrapped.sealed, "master_key": wrapped.master_key}
        await connection.execute(update(tenants).where(tenants.c.id == row.id).values(values))
    if len(rows) < _BATCH:
        await unregister_unused(connection, vault)
    return len(rows)


def _with_staged(row: Row[Any]) -> Row[Any]:
    if row.staged is None:
        raise Missing(f"Tenant {row.id} has no staged login.")
    return row
