"""The operators' token."""

import hmac
from collections.abc import Callable

from app.api.security.authentication import locked_out
from app.api.security.lockout import Lockout
from app.errors import Unauthenticated
from app.tenants.keys import hash_key


class AdminCredential:
    """Checks the operators' token, in constant time, and locks out addresses that guess it.

    Unlike an API key the token may have been thought up by a person, so that the lock-out is what makes guessing it
    hopeless: from a locked address even the right token is refused, unless it was used from there before.

    Args:
        token: the token.
        lockout: counts wrong ones by address; not the one that counts API keys.
        on_locked: called for each request that a lock-out refuses.
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
            if presented:
                self._lockout.wrong(address)
            raise Unauthenticated("A valid operators' token is needed.", headers={"WWW-Authenticate": "Bearer"})
        self._lockout.right(address, presented_hash)
