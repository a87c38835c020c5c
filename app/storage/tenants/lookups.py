"""What a tenant store reads from the database, and when it notes that keys were used."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import DatabaseError
from app.storage.database.schema import api_keys, tenant_changes, tenants
from app.tenants.models import EventRules

_KEY_COLUMNS = (
    api_keys.c.sha256,
    api_keys.c.scopes,
    api_keys.c.requests_per_minute,
    api_keys.c.expires_at,
    api_keys.c.networks,
    api_keys.c.subject,
)
_BY_KEY = (
    select(tenants, api_keys.c.id.label("key_id"), *_KEY_COLUMNS)
    .join(api_keys, api_keys.c.tenant == tenants.c.id)
    .where(api_keys.c.revoked_at.is_(None))
)
_MOST_CHANGES = 1000


@dataclass(frozen=True, slots=True)
class ChangedTenants:
    """Which tenants have changed, and the number of the last of these changes."""

    tenants: tuple[str, ...]
    number: int


async def by_digest(connection: AsyncConnection, *, digest: str) -> Row[Any] | None:
    """Return the tenant and the key with a hash, if there is one that has not been revoked."""
    return (await connection.execute(_BY_KEY.where(api_keys.c.sha256 == digest))).first()


async def by_id(connection: AsyncConnection, *, tenant_id: str) -> Row[Any] | None:
    """Return the tenant with an id, if there is one."""
    return (await connection.execute(select(tenants).where(tenants.c.id == tenant_id))).first()


async def last_change(connection: AsyncConnection) -> int:
    """Return the number of the last change; 0 if there was none."""
    query = select(tenant_changes.c.number).order_by(tenant_changes.c.number.desc()).limit(1)
    return (await connection.execute(query)).scalar() or 0


async def changes_after(connection: AsyncConnection, *, number: int) -> ChangedTenants:
    """Return the next changes after a number, or none."""
    query = select(tenant_changes).where(tenant_changes.c.number > number).order_by(tenant_changes.c.number)
    rows = (await connection.execute(query.limit(_MOST_CHANGES))).all()
    return ChangedTenants(tuple(row.tenant for row in rows), rows[-1].number if rows else number)


async def with_events(connection: AsyncConnection) -> dict[str, int]:
    """Return the ids of enabled tenants that want events, with their requests a minute."""
    wanted = tenants.c.events["enabled"].as_boolean().is_(True)
    query = select(tenants.c.id, tenants.c.events).where(tenants.c.enabled, wanted)
    rows = (await connection.execute(query)).all()
    return {row.id: EventRules.model_validate(row.events).requests_per_minute for row in rows}


log = structlog.get_logger(__name__)

Use = tuple[str, str]
Touch = Callable[[Mapping[Use, datetime]], Awaitable[None]]

_MOST = 50_000


class KeyUsage:
    """Collects which keys are used; each is written down at most once in a while."""

    def __init__(self, touch: Touch, *, apart: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._touch = touch
        self._apart = apart
        self._monotonic = monotonic
        self._noted: dict[Use, float] = {}
        self._waiting: dict[Use, datetime] = {}

    def note(self, tenant_id: str, key_id: str) -> None:
        """Note that a key is being used."""
        use = tenant_id, key_id
        moment = self._monotonic()
        if moment - self._noted.get(use, -self._apart) < self._apart:
            return
        if len(self._noted) >= _MOST:
            self._noted.clear()
        self._noted[use] = moment
        self._waiting[use] = datetime.now(UTC)

    async def flush(self) -> None:
        """Write down what was noted since the last time; where that fails, later uses will be noted again."""
        uses, self._waiting = self._waiting, {}
        try:
            if uses:
                await self._touch(uses)
        except DatabaseError as error:
            log.warning("key_usage_not_written", keys=len(uses), reason=str(error))
