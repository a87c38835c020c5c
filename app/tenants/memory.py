"""Tenants held in memory: for the demo, and wherever an application is built without any."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from app.tenants.models import Tenant
from app.tenants.store import Identity, KeyRing


class MemoryTenantStore:
    """A `TenantStore` over a fixed set of tenants."""

    def __init__(self, tenants: Iterable[Tenant]) -> None:
        self._ring = KeyRing(tenants)

    async def identify(self, key: str) -> Identity | None:
        """Return whom `key` stands for, or None."""
        return self._ring.find(key)

    def recall(self, key: str) -> Identity | None:
        """Return whom `key` stands for, or None."""
        return self._ring.find(key)

    async def find(self, tenant_id: str) -> Tenant | None:
        """Return the tenant with an id, or None."""
        return self._ring.tenant(tenant_id)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing: a fixed set is always current."""
        yield
