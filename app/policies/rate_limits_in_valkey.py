"""Limits counted in a store that workers and replicas share."""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from redis.asyncio import Redis

from app.policies.rate_limits import MICROSECOND, UNLIMITED, Decision, Quota, decide, decide_window
from app.storage.valkey import UNAVAILABLE, Script, Scripts

_PREFIX = "umail:limit"
_PAUSE_SECONDS = 0.5

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
"""

# KEYS: one a quota, holding when it is whole again. ARGV: the period and the amount of each.
_HIT = Script(f"""{_NOW}
local debts, allowed = {{}}, true
for i, key in ipairs(KEYS) do
  local period, amount = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  debts[i] = math.max((tonumber(redis.call('GET', key) or now)) - now, 0) + period
  allowed = allowed and debts[i] <= period * amount
end
if allowed then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', now + debts[i]), 'PX', math.ceil(debts[i] / 1000))
  end
end
return debts
""")

# KEYS: when it was done. ARGV: how often it may be done, the window in microseconds, a name for this time.
_COUNT = Script(f"""{_NOW}
local window = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
local count = redis.call('ZCARD', KEYS[1])
local allowed = count < tonumber(ARGV[1])
if allowed then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[3])
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
  count = count + 1
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or now
return {{allowed and 1 or 0, count, first + window - now}}
""")


class _Counter:
    """Runs one script; for a moment after a failure it does not try, so that not every request waits to find out."""

    script: ClassVar[Script]

    def __init__(
        self,
        client: Redis,
        on_failure: Callable[[], None],
        *,
        timeout: float = 0.25,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scripts = Scripts(client, (self.script,), timeout=timeout)
        self._on_failure = on_failure
        self._now = now
        self._failing = False
        self._retry_at = 0.0

    async def count(self, keys: Sequence[str], arguments: Sequence[str | int]) -> list[int] | None:
        """Return what the script replies; None where nobody can count."""
        if self._failing:
            if self._now() < self._retry_at:
                return None
            self._retry_at = self._now() + _PAUSE_SECONDS
        try:
            reply: list[int] = await self._scripts.run(self.script, keys, arguments)
        except UNAVAILABLE:
            self._failing, self._retry_at = True, self._now() + _PAUSE_SECONDS
            self._on_failure()
            return None
        self._failing = False
        return reply


class ValkeyRateLimiter(_Counter):
    """A `RateLimiter` over a shared store; while that is gone, everything is allowed."""

    script = _HIT

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        keys = [f"{_PREFIX}:{quota.name}:{subject}" for subject, quota in quotas]
        arguments = [number for _, quota in quotas for number in (quota.period, quota.amount)]
        debts = await self.count(keys, arguments)
        return UNLIMITED if debts is None else decide([quota for _, quota in quotas], debts)


class ValkeyWindow(_Counter):
    """A `Window` over a shared store; while that is gone, everything is allowed."""

    script = _COUNT

    async def hit(self, subject: str, quota: Quota) -> Decision:
        key = f"{_PREFIX}:{quota.name}:{subject}"
        counted = await self.count([key], [quota.amount, quota.seconds * MICROSECOND, secrets.token_hex(8)])
        if counted is None:
            return UNLIMITED
        allowed, count, reset = counted
        return decide_window(quota, count, reset / MICROSECOND, allowed=bool(allowed))
