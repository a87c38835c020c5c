"""What every change of tenants or keys does beside: numbering itself, and registering its master key."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, func, insert, select, update

from app.storage.database.connections import AsyncConnection
from app.storage.database.schema import master_keys, tenant_changes, tenants
from app.storage.database.serializing import serialize
from app.tenants.errors import MasterKeyMissing, Missing
from app.tenants.vault import Vault


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
    """Return a tenant's row.

    Raises:
        Missing: there is none.
    """
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
    await connection.execute(delete(master_keys).where(master_keys.c.id != vault.current, ~used))


async def check_master_keys(connection: AsyncConnection, vault: Vault, moment: datetime) -> None:
    """See whether everything in the database can be decrypted, by the ids that are written down, not by trying.

    An empty database becomes the current master key's, so that a replica with another one does not start.

    Raises:
        MasterKeyMissing: a master key in use is not at hand.
    """
    await begin(connection)
    ids = set((await connection.execute(select(master_keys.c.id))).scalars())
    for missing in sorted(ids - vault.known):
        raise MasterKeyMissing(missing)
    if not ids:
        await register_master_key(connection, vault, moment)
