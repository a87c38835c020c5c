"""Limits counted in the process."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from app.policies.limits.model import MICROSECOND, Decision, Quota, decide, decide_window

_MOST_SUBJECTS = 20_000


class MemoryRateLimiter:
    """A `RateLimiter` for one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST_SUBJECTS) -> None:
        self._clock = clock
        self._most = most
        self._whole_at: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        now = int(self._clock() * MICROSECOND)
        names = [(quota.name, subject) for subject, quota in quotas]
        debts = [
            max(self._whole_at.get(name, now) - now, 0) + quota.period
            for name, (_, quota) in zip(names, quotas, strict=True)
        ]
        decision = decide([quota for _, quota in quotas], debts)
        if decision.allowed:
            for name, debt in zip(names, debts, strict=True):
                self._whole_at[name] = now + debt
                self._whole_at.move_to_end(name)
            while len(self._whole_at) > self._most:
                self._whole_at.popitem(last=False)
        return decision


class MemoryWindow:
    """A `Window` for one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST_SUBJECTS) -> None:
        self._clock = clock
        self._most = most
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    async def hit(self, subject: str, quota: Quota) -> Decision:
        now = self._clock()
        times = self._times.setdefault(subject, deque())
        self._times.move_to_end(subject)
        if len(self._times) > self._most:
            self._times.popitem(last=False)
        while times and times[0] <= now - quota.seconds:
            times.popleft()
        if allowed := len(times) < quota.amount:
            times.append(now)
        reset = times[0] + quota.seconds - now if times else float(quota.seconds)
        return decide_window(quota, len(times), reset, allowed=allowed)
