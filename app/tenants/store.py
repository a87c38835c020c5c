"""Where tenants come from: the interface of every tenant store, the index they share, and a fixed set in memory."""

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple, Protocol

from app.tenants.models import ApiKey, Tenant

PREFIX = "umg_"
_SHOWN = 8


def generate_key() -> str:
    """Return a new API key; it is shown once and only its hash is kept."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """Return the SHA-256 of the whole key as lower-case hex, the form that is stored and compared."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def shown_part(key: str) -> str:
    """Return the beginning of a key, by which people recognize it; the 35 characters left hold more than 200 bits."""
    return key[: len(PREFIX) + _SHOWN]


NO_DIGEST = "0" * 64
"""What a presented key is compared with when nobody has it, so that the comparison takes place."""


class Identity(NamedTuple):
    """Who an API key stands for."""

    tenant: Tenant
    key: ApiKey


class TenantStore(Protocol):
    """A source of tenants and keys."""

    async def identify(self, key: str) -> Identity | None:
        """Return whom `key` stands for, or None for a key nobody has; takes the same time either way.

        The tenant may be disabled and the key expired: that is for the caller to see. Not every store fills in the
        tenant's `keys`.

        Raises:
            app.errors.StateUnavailable: a store that others share cannot be asked.
        """

    async def find(self, tenant_id: str) -> Tenant | None:
        """Return the tenant with an id, or None; raises as `identify`."""

    async def with_events(self) -> Mapping[str, int]:
        """Return the ids of tenants whose own settings want events, and how many requests a minute these may cost.

        Raises:
            app.errors.DatabaseError: the database cannot be used.
        """

    def running(self) -> AbstractAsyncContextManager[None]:
        """Keep the store current (watch its file, its database) while the context is open."""


class KeyRing:
    """An immutable index of keys.

    The index is keyed by the hash of the presented key: how long a lookup takes depends on a SHA-256 that a caller
    cannot steer, and the last comparison runs in constant time whether a candidate was found or not.
    """

    def __init__(self, tenants: Iterable[Tenant]) -> None:
        tenants = tuple(tenants)
        self._tenants = {tenant.id: tenant for tenant in tenants}
        self._identities = {key.sha256: Identity(tenant, key) for tenant in tenants for key in tenant.keys}

    def tenant(self, tenant_id: str) -> Tenant | None:
        return self._tenants.get(tenant_id)

    def with_events(self) -> dict[str, int]:
        """Return the ids of tenants that want events, with their requests a minute."""
        return {
            tenant.id: tenant.events.requests_per_minute
            for tenant in self._tenants.values()
            if tenant.enabled and tenant.events.enabled
        }

    def find(self, key: str) -> Identity | None:
        """Return the identity behind a presented key, or None."""
        digest = hash_key(key)
        identity = self._identities.get(digest)
        expected = identity.key.sha256 if identity else NO_DIGEST
        return identity if hmac.compare_digest(digest, expected) and key else None


class MemoryTenantStore:
    """A `TenantStore` over a fixed set of tenants."""

    def __init__(self, tenants: Iterable[Tenant]) -> None:
        self._ring = KeyRing(tenants)

    async def identify(self, key: str) -> Identity | None:
        return self._ring.find(key)

    async def find(self, tenant_id: str) -> Tenant | None:
        return self._ring.tenant(tenant_id)

    async def with_events(self) -> Mapping[str, int]:
        """Return the ids of tenants that want events, with their requests a minute."""
        return self._ring.with_events()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield
