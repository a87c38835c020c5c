"""What is done with tenants and API keys within a transaction."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.storage.database.event_schema import deliveries, event_streams, events, watched, webhooks
from app.storage.database.schema import api_keys, master_keys, tenant_changes, tenants
from app.storage.database.statements import serialize
from app.storage.tenants.models import (
    Missing,
    RepositoryPage,
    RevisionConflict,
    TenantPatch,
    TenantRecord,
)
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
from app.tenants.models import Tenant, UpstreamAccount
from app.tenants.vault import MasterKeyMissing, Vault, WrappedKey


async def begin(connection: AsyncConnection) -> None:
    """Let no other change of tenants happen until this transaction ends.

    Changes then become visible in the order of their numbers, and whoever has seen one has seen all before it.
    """
    await serialize(connection, ("tenants",))


async def number_change(connection: AsyncConnection, tenant_id: str) -> None:
    """Give a change its number, in a transaction that has begun with `begin`."""
    number = (await connection.execute(select(func.coalesce(func.max(tenant_changes.c.number), 0) + 1))).scalar_one()
    changed = update(tenant_changes).where(tenant_changes.c.tenant == tenant_id).values(number=number)
    if not (await connection.execute(changed)).rowcount:
        await connection.execute(insert(tenant_changes).values(tenant=tenant_id, number=number))


async def existing(connection: AsyncConnection, tenant_id: str) -> Row[Any]:
    row = (await connection.execute(select(tenants).where(tenants.c.id == tenant_id))).first()
    if row is None:
        raise Missing(f"There is no tenant {tenant_id}.")
    return row


async def register_master_key(connection: AsyncConnection, vault: Vault, moment: datetime) -> None:
    """Write down that something is about to be encrypted with the current master key."""
    known = await connection.execute(select(master_keys.c.id).where(master_keys.c.id == vault.current))
    if known.first() is None:
        await connection.execute(insert(master_keys).values(id=vault.current, created_at=moment))


async def unregister_unused(connection: AsyncConnection, vault: Vault) -> None:
    """Forget the master keys that nothing is encrypted with any more, except the current one."""
    used = exists().where(tenants.c.master_key == master_keys.c.id)
    by_webhooks = exists().where(webhooks.c.master_key == master_keys.c.id)
    await connection.execute(delete(master_keys).where(master_keys.c.id != vault.current, ~used, ~by_webhooks))


async def check_master_keys(connection: AsyncConnection, vault: Vault, moment: datetime) -> None:
    """See whether everything in the database can be decrypted, by the ids that are written down, not by trying.

    An empty database becomes the current master key's, so that a replica with another one does not start.
    """
    await begin(connection)
    ids = set((await connection.execute(select(master_keys.c.id))).scalars())
    for missing in sorted(ids - vault.known):
        raise MasterKeyMissing(missing)
    if not ids:
        await register_master_key(connection, vault, moment)


_BATCH = 200
_PLAIN = ("name", "enabled", "role", "limits", "sends", "events", "cache")

Changes = Callable[[Row[Any]], Mapping[str, Any]]
"""Says from a tenant's row which columns are to change, and how."""


async def add(connection: AsyncConnection, *, tenant: Tenant, vault: Vault, moment: datetime) -> TenantRecord:
    """Add a tenant; see `TenantRepository.add`."""
    await begin(connection)
    taken = await connection.execute(select(tenants.c.id).where(tenants.c.id == tenant.id))
    if taken.first() is not None:
        raise RevisionConflict(f"There is a tenant {tenant.id} already.")
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


async def list_tenants(connection: AsyncConnection, *, offset: int, limit: int) -> RepositoryPage[TenantRecord]:
    """Return some tenants; see `TenantRepository.list`."""
    total = (await connection.execute(select(func.count()).select_from(tenants))).scalar_one()
    rows = await connection.execute(select(tenants).order_by(tenants.c.id).offset(offset).limit(limit))
    return RepositoryPage(tuple(map(tenant_record, rows)), total)


async def change(
    connection: AsyncConnection, *, tenant_id: str, changes: Changes, revision: int | None, moment: datetime
) -> TenantRecord:
    """Change a tenant's columns."""
    await begin(connection)
    row = await existing(connection, tenant_id)
    if revision is not None and row.revision != revision:
        raise RevisionConflict(f"Tenant {tenant_id} has revision {row.revision} by now, not {revision}.")
    values = {**changes(row), "revision": row.revision + 1, "updated_at": moment}
    changed = update(tenants).where(tenants.c.id == tenant_id).values(values).returning(*tenants.c)
    record = tenant_record((await connection.execute(changed)).one())
    await number_change(connection, tenant_id)
    return record


async def remove(connection: AsyncConnection, *, tenant_id: str) -> None:
    """Delete a tenant with its keys, events and webhooks."""
    await begin(connection)
    await existing(connection, tenant_id)
    # Whoever gets its id next must not read what happened in its account.
    for table in (api_keys, webhooks, deliveries, events, watched, event_streams):
        await connection.execute(delete(table).where(table.c.tenant == tenant_id))
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
    await _rewrap_webhooks(connection, vault)
    if len(rows) < _BATCH:
        await unregister_unused(connection, vault)
    return len(rows)


async def _rewrap_webhooks(connection: AsyncConnection, vault: Vault) -> None:
    key = (webhooks.c.tenant, webhooks.c.id)
    query = select(*key, webhooks.c.data_key, webhooks.c.master_key).where(webhooks.c.master_key != vault.current)
    for row in (await connection.execute(query)).all():
        wrapped = vault.rewrap(row.tenant, WrappedKey(row.master_key, row.data_key))
        values = {"data_key": wrapped.sealed, "master_key": wrapped.master_key}
        await connection.execute(update(webhooks).where(key[0] == row.tenant, key[1] == row.id).values(values))


def _with_staged(row: Row[Any]) -> Row[Any]:
    if row.staged is None:
        raise Missing(f"Tenant {row.id} has no staged login.")
    return row
