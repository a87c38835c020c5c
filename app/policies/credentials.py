"""Logins that keep being refused are not tried for a while: the platform may lock an account that is."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST = 10_000
_PROBE_SECONDS = 10.0


class CredentialsPaused(Exception):
    """The login is not to be tried now."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


@dataclass(slots=True)
class _Refused:
    times: int = 0
    until: float = 0.0


class CredentialGuard:
    """Counts how often each login was refused in a row.

    Once it has been refused too often it is tried once after each pause, by one call; a call that says nothing of the
    login leaves the next one its turn after a few seconds.
    """

    def __init__(self, *, refusals: int = 5, pause: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        self._refusals = refusals
        self._pause = pause
        self._now = now
        self._refused: OrderedDict[str, _Refused] = OrderedDict()

    def check(self, fingerprint: str) -> None:
        """Ask whether a login may be tried; raises `CredentialsPaused` if not now."""
        known = self._refused.get(fingerprint)
        if known is None or known.times < self._refusals:
            return
        now = self._now()
        if now < known.until:
            raise CredentialsPaused(known.until - now)
        known.until = now + min(_PROBE_SECONDS, self._pause)

    def refused(self, fingerprint: str) -> bool:
        """Note that a login was refused, and tell whether it is paused from now on."""
        known = self._refused.setdefault(fingerprint, _Refused())
        self._refused.move_to_end(fingerprint)
        known.times += 1
        known.until = self._now() + self._pause
        if len(self._refused) > _MOST:
            self._refused.popitem(last=False)
        return known.times == self._refusals

    def accepted(self, fingerprint: str) -> bool:
        """Note that a login was taken, and tell whether it had been paused."""
        known = self._refused.pop(fingerprint, None) if self._refused else None
        return known is not None and known.times >= self._refusals
