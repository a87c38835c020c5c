"""From what a request presents to whom it stands for."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from app.api.security.address import is_within
from app.api.security.lockout import Lockout
from app.errors import RateLimited, StateUnavailable, Unauthenticated
from app.tenants.keys import hash_key
from app.tenants.models import ApiKey
from app.tenants.store import Identity, TenantStore
from app.tenants.tokens.forms import looks_like_token
from app.tenants.tokens.keys import KeysUnavailable

if TYPE_CHECKING:
    from app.tenants.tokens.verifier import TokenVerifier


class Authenticator:
    """Decides whom a presented key stands for.

    Every key that may not be used gets the same answer: unknown, expired, or presented from a wrong place.

    Args:
        tenants: knows the keys.
        tokens: knows tokens that stand in the place of keys; None if there are none.
        lockout: counts wrong keys by address.
        on_locked: called for each request that a lock-out refuses.
        now: returns the current time as an aware datetime.
    """

    def __init__(
        self,
        tenants: TenantStore,
        *,
        tokens: TokenVerifier | None = None,
        lockout: Lockout,
        on_locked: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        self._tenants = tenants
        self._tokens = tokens
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
            StateUnavailable: a token cannot be checked, because the keys of those who make them cannot be had.
        """
        if not presented:
            raise _unauthenticated()
        locked = self._lockout.locked_for(address)
        if locked and not self._lockout.passes(address, hash_key(presented)):
            self._on_locked()
            raise locked_out(locked)
        identity = await self._look_up(presented)
        if identity is None or not self._usable(identity.key, address):
            self._lockout.wrong(address)
            raise _unauthenticated()
        self._lockout.right(address, identity.key.sha256)
        return identity

    def recall(self, presented: str, address: str | None) -> Identity | None:
        """Return whom a key stands for, if it may be used and that is known without waiting; None says nothing of it.

        Args:
            presented: the key; empty if the request carries none.
            address: the client's.
        """
        if not presented or self._lockout.locked_for(address):
            return None
        if self._tokens is not None and looks_like_token(presented):
            return None
        identity = self._tenants.recall(presented)
        if identity is None or not self._usable(identity.key, address):
            return None
        self._lockout.right(address, identity.key.sha256)
        return identity

    async def _look_up(self, presented: str) -> Identity | None:
        if self._tokens is None or not looks_like_token(presented):
            return await self._tenants.identify(presented)
        try:
            return await self._tokens.identify(presented)
        except KeysUnavailable:
            raise StateUnavailable(
                "The token cannot be checked now. Nothing was sent.", headers={"Retry-After": "10"}
            ) from None

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
