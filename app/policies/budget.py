"""A budget of retries for each platform: trouble must not be multiplied by everybody trying again."""

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_UPSTREAMS = 1000


class RetryBudget:
    """Allows retries in proportion to the calls made, and a few for platforms that are called rarely.

    Each call earns a share of a retry, and time earns the reserve back. Neither can be saved up for long.

    Args:
        ratio: retries that one call earns.
        reserve: retries that a platform starts with, and that `window` seconds earn.
        window: seconds.
        now: a clock that only goes forward.
    """

    def __init__(
        self,
        ratio: float = 0.2,
        *,
        reserve: float = 10.0,
        window: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ratio = ratio
        self._reserve = reserve if ratio > 0 else 0.0
        self._per_second = self._reserve / window
        self._most = max(self._reserve, 100 * ratio)
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def called(self, upstream: str) -> None:
        """Note a call that is not a retry."""
        left, when = self._current(upstream)
        self._set(upstream, min(self._most, left + self._ratio), when)

    def take(self, upstream: str) -> bool:
        """Take one retry, if there is one."""
        left, when = self._current(upstream)
        taken = left >= 1
        self._set(upstream, left - 1 if taken else left, when)
        return taken

    def _current(self, upstream: str) -> tuple[float, float]:
        now = self._now()
        left, when = self._left.get(upstream, (self._reserve, now))
        # Time refills the reserve only; what calls have earned beyond it is for calls to earn.
        refilled = max(left, min(self._reserve, left + (now - when) * self._per_second))
        return refilled, now

    def _set(self, upstream: str, left: float, when: float) -> None:
        self._left[upstream] = left, when
        self._left.move_to_end(upstream)
        if len(self._left) > _MOST_UPSTREAMS:
            self._left.popitem(last=False)
