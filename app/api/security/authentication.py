"""From what a request presents to whom it stands for."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

from app.api.security.address import is_within
from app.api.security.lockout import Lockout
from app.errors import RateLimited, Unauthenticated
from app.tenants.keys import hash_key
from app.tenants.models import ApiKey
from app.tenants.store import Identity, TenantStore


def _now() -> datetime:
    return datetime.now(UTC)


class Authenticator:
    """Decides whom a presented key stands for.

    Every key that may not be used gets the same answer: unknown, expired, or presented from a wrong place.

    Args:
        tenants: knows the keys.
        lockout: counts wrong keys by address.
        on_locked: called for each request that a lock-out refuses.
        now: returns the current time as an aware datetime.
    """

    def __init__(
        self,
        tenants: TenantStore,
        *,
        lockout: Lockout,
        on_locked: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._tenants = tenants
        self._lockout = lockout
        self._on_locked = on_locked
        self._now = now

    async def identify(self, presented: str, address: str | None) -> Identity:
        """Return whom a key stands for.

        Args:
            presented: the key; empty if the request carries none.
            address: the client's.

        Raises:
            Unauthenticated: there is no key, or it may not be used.
            RateLimited: too many wrong keys have come from this address.
        """
        if not presented:
            raise _unauthenticated()
        locked = self._lockout.locked_for(address)
        if locked and not self._lockout.passes(address, hash_key(presented)):
            self._on_locked()
            raise locked_out(locked)
        identity = await self._tenants.identify(presented)
        if identity is None or not self._usable(identity.key, address):
            self._lockout.wrong(address)
            raise _unauthenticated()
        self._lockout.right(address, identity.key.sha256)
        return identity

    def _usable(self, key: ApiKey, address: str | None) -> bool:
        if key.expires_at is not None and key.expires_at <= self._now():
            return False
        return not key.networks or is_within(address, key.networks)


def locked_out(seconds: float) -> RateLimited:
    """Return the error for an address that is locked for so long."""
    headers = {"Retry-After": str(math.ceil(seconds))}
    return RateLimited("Too many wrong keys have come from this address.", headers=headers)


def _unauthenticated() -> Unauthenticated:
    return Unauthenticated(
        "A valid API key is needed, as `Authorization: Bearer <key>` or `X-API-Key: <key>`.",
        headers={"WWW-Authenticate": 'Bearer realm="umail-gateway"'},
    )
