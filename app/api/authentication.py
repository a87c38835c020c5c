"""From what a request presents to whom it stands for."""

from __future__ import annotations

import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from app.api.request_head import is_within, subscriber
from app.errors import RateLimited, StateUnavailable, Unauthenticated
from app.gateway.context import Caller
from app.tenants.jwks import KeysUnavailable
from app.tenants.models import ApiKey, Scope, effective_scopes
from app.tenants.store import Identity, TenantStore, hash_key
from app.tenants.tokens import looks_like_token


class Lockout:
    """Counts wrong keys by address, IPv6 by /64, and remembers which right ones each address has used.

    From a locked address only a key passes that was right from that same address before: those who share it with
    whoever is guessing go on undisturbed, and whoever is guessing learns nothing from any other key, right or wrong.
    Memory is bounded; what is forgotten first is what ends first.

    Args:
        window: seconds over which they are counted, from the first one, and at the end of which the lock opens.
        most: addresses, and pairs of address and key, that are remembered at most.
    """

    def __init__(
        self, *, failures: int, window: float, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures = failures
        self._window = window
        self._most = most
        self._clock = clock
        # Ordered by when the counting began, which is the order in which it ends.
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._subscriber = lru_cache(most)(subscriber)

    def locked_for(self, address: str | None) -> float:
        """Return for how many seconds an address stays locked; 0 if it is not."""
        if not self._wrong:
            return 0.0
        began, count = self._wrong.get(self._subscriber(address), (0.0, 0))
        return max(0.0, began + self._window - self._clock()) if count >= self._failures else 0.0

    def passes(self, address: str | None, key_hash: str) -> bool:
        """Tell whether a key was right from this address before."""
        return (self._subscriber(address), key_hash) in self._right

    def right(self, address: str | None, key_hash: str) -> None:
        """Remember that a key was right."""
        pair = self._subscriber(address), key_hash
        if pair in self._right:
            self._right.move_to_end(pair)
            return
        self._right[pair] = None
        if len(self._right) > self._most:
            self._right.popitem(last=False)

    def wrong(self, address: str | None) -> None:
        """Count a wrong key."""
        now = self._clock()
        while self._wrong and next(iter(self._wrong.values()))[0] + self._window <= now:
            self._wrong.popitem(last=False)
        whose = self._subscriber(address)
        began, count = self._wrong.get(whose, (now, 0))
        self._wrong[whose] = began, count + 1
        if len(self._wrong) > self._most:
            self._wrong.popitem(last=False)


if TYPE_CHECKING:
    from app.tenants.tokens import TokenVerifier


class Authenticator:
    """Decides whom a presented key stands for.

    Every key that may not be used gets the same answer: unknown, expired, or presented from a wrong place.
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

        Raises:
            Unauthenticated: there is no key, or it may not be used.
            RateLimited: too many wrong keys have come from this address.
            StateUnavailable: a token cannot be checked, because the keys of those who make them cannot be had.
        """
        if not presented:
            raise _unauthenticated("no key")
        locked = self._lockout.locked_for(address)
        if locked and not self._lockout.passes(address, hash_key(presented)):
            self._on_locked()
            raise locked_out(locked)
        identity = await self._look_up(presented)
        refusal = "unknown or revoked key" if identity is None else self._refusal(identity.key, address)
        if identity is None or refusal is not None:
            self._lockout.wrong(address)
            raise _unauthenticated(refusal)
        self._lockout.right(address, identity.key.sha256)
        return identity

    async def still_good(self, presented: str, caller: Caller, scope: Scope) -> bool:
        """Tell whether a key that was presented still lets the same caller do this; counts as no attempt."""
        identity = await self._look_up(presented)
        if identity is None or self._refusal(identity.key, caller.context.client_address) is not None:
            return False
        tenant, key = identity
        same = tenant.id == caller.tenant.id and key.id == caller.key_id
        return same and tenant.enabled and scope in effective_scopes(key.scopes)

    async def _look_up(self, presented: str) -> Identity | None:
        if self._tokens is None or not looks_like_token(presented):
            return await self._tenants.identify(presented)
        try:
            return await self._tokens.identify(presented)
        except KeysUnavailable:
            raise StateUnavailable(
                "The token cannot be checked now. Nothing was sent.",
                headers={"Retry-After": "10"},
                reason="token keys unavailable",
            ) from None

    def _refusal(self, key: ApiKey, address: str | None) -> str | None:
        if key.expires_at is not None and key.expires_at <= self._now():
            return "expired key"
        return None if not key.networks or is_within(address, key.networks) else "network not allowed"


def locked_out(seconds: float) -> RateLimited:
    """Return the error for an address that is locked for so long."""
    headers = {"Retry-After": str(math.ceil(seconds))}
    return RateLimited("Too many wrong keys have come from this address.", headers=headers, reason="address locked out")


def _unauthenticated(reason: str | None) -> Unauthenticated:
    return Unauthenticated(
        "A valid API key is needed, as `Authorization: Bearer <key>` or `X-API-Key: <key>`."
        " The gateway's operators give out keys.",
        headers={"WWW-Authenticate": 'Bearer realm="umail-gateway"'},
        reason=reason,
    )


class AdminCredential:
    """Checks the operators' token, in constant time, and locks out addresses that guess it.

    Unlike an API key the token may have been thought up by a person, so that the lock-out is what makes guessing it
    hopeless: from a locked address even the right token is refused, unless it was used from there before.

    Args:
        lockout: counts wrong ones by address; not the one that counts API keys.
    """

    def __init__(self, token: str, *, lockout: Lockout, on_locked: Callable[[], None]) -> None:
        self._hash = hash_key(token)
        self._lockout = lockout
        self._on_locked = on_locked

    def check(self, presented: str, address: str | None) -> None:
        """Check a presented token; empty if the request carries none.

        Raises:
            Unauthenticated: there is none, or a wrong one.
            RateLimited: too many wrong ones have come from this address.
        """
        presented_hash = hash_key(presented)
        locked = self._lockout.locked_for(address)
        if locked and not self._lockout.passes(address, presented_hash):
            self._on_locked()
            raise locked_out(locked)
        if not hmac.compare_digest(presented_hash, self._hash):
            self._lockout.wrong(address)
            raise Unauthenticated(
                "A valid operators' token is needed.",
                headers={"WWW-Authenticate": "Bearer"},
                reason="operators' token missing or wrong",
            )
        self._lockout.right(address, presented_hash)
