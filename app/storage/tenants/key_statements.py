"""What is done with API keys within a transaction."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Row, bindparam, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.storage.database.schema import api_keys
from app.storage.tenants.models import (
    CreatedKey,
    KeyRecord,
    Missing,
    NewKey,
    RepositoryPage,
    RevisionConflict,
)
from app.storage.tenants.rows import (
    key_record,
)
from app.storage.tenants.statements import begin, existing, number_change
from app.tenants.store import generate_key, hash_key, shown_part

_ID_BYTES = 4


async def create_key(connection: AsyncConnection, *, tenant_id: str, new: NewKey, moment: datetime) -> CreatedKey:
    """Make a key; see `TenantRepository.create_key`."""
    await begin(connection)
    await existing(connection, tenant_id)
    key_id = new.id or f"key-{secrets.token_hex(_ID_BYTES)}"
    if await _row(connection, tenant_id, key_id) is not None:
        raise RevisionConflict(f"Tenant {tenant_id} has, or had, a key {key_id}; ids are not used twice.")
    key = generate_key()
    columns = {
        "tenant": tenant_id,
        "id": key_id,
        "prefix": shown_part(key),
        "sha256": hash_key(key),
        "scopes": sorted(new.scopes),
        "requests_per_minute": new.requests_per_minute,
        "expires_at": new.expires_at,
        "networks": [str(network) for network in new.networks],
        "subject": new.subject,
        "created_at": moment,
    }
    made = await connection.execute(insert(api_keys).values(columns).returning(*api_keys.c))
    record = key_record(made.one())
    await number_change(connection, tenant_id)
    return CreatedKey(SecretStr(key), record)


async def list_keys(
    connection: AsyncConnection, *, tenant_id: str | None, revoked: bool, offset: int, limit: int
) -> RepositoryPage[KeyRecord]:
    """Return some keys; see `TenantRepository.list_keys`."""
    conditions: list[ColumnElement[bool]] = [] if revoked else [api_keys.c.revoked_at.is_(None)]
    if tenant_id is not None:
        await existing(connection, tenant_id)
        conditions.append(api_keys.c.tenant == tenant_id)
    total = (await connection.execute(select(func.count()).select_from(api_keys).where(*conditions))).scalar_one()
    order = (api_keys.c.tenant, api_keys.c.id)
    rows = await connection.execute(select(api_keys).where(*conditions).order_by(*order).offset(offset).limit(limit))
    return RepositoryPage(tuple(map(key_record, rows)), total)


async def revoke_key(connection: AsyncConnection, *, tenant_id: str, key_id: str, moment: datetime) -> KeyRecord:
    """End a key's validity; see `TenantRepository.revoke_key`."""
    await begin(connection)
    row = await _row(connection, tenant_id, key_id)
    if row is None:
        await existing(connection, tenant_id)
        raise Missing(f"Tenant {tenant_id} has no key {key_id}.")
    if row.revoked_at is not None:
        return key_record(row)
    ended = update(api_keys).where(api_keys.c.tenant == tenant_id, api_keys.c.id == key_id).values(revoked_at=moment)
    record = key_record((await connection.execute(ended.returning(*api_keys.c))).one())
    await number_change(connection, tenant_id)
    return record


async def rotate_key(
    connection: AsyncConnection, *, tenant_id: str, key_id: str, ends_at: datetime, new_id: str | None, moment: datetime
) -> tuple[CreatedKey, KeyRecord]:
    """Make a key with the rights of another, and let that one end; an earlier end of its own stays."""
    await begin(connection)
    row = await _row(connection, tenant_id, key_id)
    if row is None or row.revoked_at is not None:
        await existing(connection, tenant_id)
        raise Missing(f"Tenant {tenant_id} has no valid key {key_id}.")
    former = key_record(row)
    new = NewKey(
        id=new_id,
        scopes=former.scopes,
        requests_per_minute=former.requests_per_minute,
        networks=former.networks,
        # The person stays the same, or a new key would be a way around the rule of two persons.
        subject=former.subject or former.id,
    )
    created = await create_key(connection, tenant_id=tenant_id, new=new, moment=moment)
    ends = min(filter(None, (former.expires_at, ends_at)))
    ended = update(api_keys).where(api_keys.c.tenant == tenant_id, api_keys.c.id == key_id).values(expires_at=ends)
    record = key_record((await connection.execute(ended.returning(*api_keys.c))).one())
    return created, record


async def touch(connection: AsyncConnection, *, uses: Mapping[tuple[str, str], datetime], apart: timedelta) -> None:
    """Write down when keys were used, where what is written is older than `apart`."""
    statement = update(api_keys).where(
        api_keys.c.tenant == bindparam("of_tenant"),
        api_keys.c.id == bindparam("of_key"),
        or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < bindparam("before")),
    )
    # In one order for everybody, or two replicas could wait for each other.
    values = [
        {"of_tenant": tenant, "of_key": key, "moment": moment, "before": moment - apart}
        for (tenant, key), moment in sorted(uses.items())
    ]
    await connection.execute(statement.values(last_used_at=bindparam("moment")), values)


async def _row(connection: AsyncConnection, tenant_id: str, key_id: str) -> Row[Any] | None:
    query = select(api_keys).where(api_keys.c.tenant == tenant_id, api_keys.c.id == key_id)
    return (await connection.execute(query)).first()
