"""The breakers of platforms and of their logins."""

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import NamedTuple

from app.policies.breaker import BreakerPolicy, CallHealth, CircuitBreaker, CircuitState, Permit, Snapshot

_LOOKS = 8
"""Breakers looked at for each new one; more than one, so that a crowd shrinks again."""


class BreakerKey(NamedTuple):
    """Whose breaker: a platform's, or that of one login there, with the tenant that uses it."""

    platform: str
    login: str | None = None
    tenant: str | None = None


OnChange = Callable[[BreakerKey, CircuitState, CircuitState], None]


class Permits:
    """One call that the breakers of its login and of its platform let through."""

    def __init__(self, login: Permit, platform: Permit) -> None:
        self._permits = login, platform

    def done(self, health: CallHealth, seconds: float) -> None:
        """Report what the call ended in and how long it took; only the first time counts."""
        for permit in self._permits:
            permit.done(health, seconds)


class Breakers:
    """A breaker for each platform and each login, made on first use; only those that know nothing are forgotten."""

    def __init__(
        self,
        policy: BreakerPolicy,
        now: Callable[[], float] = time.monotonic,
        on_change: OnChange = lambda _key, _before, _after: None,
        most: int = 10_000,
    ) -> None:
        self._policy = policy
        self._now = now
        self._on_change = on_change
        self._most = most
        self._breakers: OrderedDict[BreakerKey, CircuitBreaker] = OrderedDict()

    def admit(self, platform: str, login: str, tenant: str) -> Permits:
        """Let a call through, or raise BreakerOpen."""
        own = self.get(BreakerKey(platform, login, tenant)).admit(login)
        try:
            return Permits(own, self.get(BreakerKey(platform)).admit(login))
        except BaseException:
            own.done(CallHealth.UNKNOWN, 0.0)
            raise

    def get(self, key: BreakerKey) -> CircuitBreaker:
        """Return the breaker of a platform or a login."""
        breaker = self._breakers.get(key)
        if breaker is None:
            self._make_room()
            shared = key.login is None
            changed = partial(self._on_change, key)
            breaker = self._breakers[key] = CircuitBreaker(self._policy, self._now, changed, shared=shared)
        return breaker

    def snapshot(self) -> dict[BreakerKey, Snapshot]:
        """Return how each breaker stands."""
        return {key: breaker.snapshot() for key, breaker in self._breakers.items()}

    def refusing(self) -> int:
        """Return how many breakers refuse calls now."""
        return sum(breaker.refuses() for breaker in self._breakers.values())

    def _make_room(self) -> None:
        for key, breaker in list(islice(self._breakers.items(), _LOOKS)):
            if len(self._breakers) < self._most:
                return
            if breaker.idle():
                del self._breakers[key]
            else:
                self._breakers.move_to_end(key)
