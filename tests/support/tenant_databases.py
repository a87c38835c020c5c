"""Tenants in a database, for tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from app.storage.database.database import Database
from app.storage.tenants.models import NewKey
from app.storage.tenants.repository import TenantRepository
from app.storage.tenants.store import DatabaseTenantStore
from app.tenants.models import ApiKey, Scope, Tenant
from app.tenants.vault import MasterKey, MasterKeys, Vault
from tests.support.tenants import make_tenant

OLD, NEW = MasterKey(bytes([1]) * 32), MasterKey(bytes([2]) * 32)
READ = NewKey(scopes=frozenset({Scope.READ}))


def keyless(tenant_id: str = "acme", **fields: Any) -> Tenant:
    """Return a tenant without keys."""
    return make_tenant(tenant_id=tenant_id, **{"keys": (), **fields})


def new_key(key: ApiKey) -> NewKey:
    """Return the wish for a key like another one."""
    return NewKey.model_validate(key.model_dump(exclude={"sha256"}))


def secret(value: str) -> SecretStr:
    """Return a secret."""
    return SecretStr(value)


@asynccontextmanager
async def opened_repository(
    url: str, *master_keys: MasterKey, now: Callable[[], datetime] | None = None
) -> AsyncIterator[TenantRepository]:
    """Open a repository that has checked its master keys; the first of them is the current one."""
    database = Database(url)
    async with database.running():
        repository = TenantRepository(database, Vault(MasterKeys(*(master_keys or (OLD,)))), now=now)
        await repository.check()
        yield repository


@asynccontextmanager
async def opened_store(url: str, *master_keys: MasterKey, **options: Any) -> AsyncIterator[DatabaseTenantStore]:
    """Open a store as a replica has it."""
    async with AsyncExitStack() as stack:
        database = Database(url)
        await stack.enter_async_context(database.running())
        store = DatabaseTenantStore(database, Vault(MasterKeys(*(master_keys or (OLD,)))), **options)
        await stack.enter_async_context(store.running())
        yield store
