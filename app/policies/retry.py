"""Trying again: when, how often, and how long to wait before."""

import asyncio
import random as randomness
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

Result = TypeVar("Result")

_SHORTEST_ATTEMPT = 0.05
"""Seconds without which another attempt is not worth beginning."""
_MOST_UPSTREAMS = 1000
_LONGEST_WAIT = 86_400.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try, and how long to wait: up to `base` seconds, doubled with each attempt, at most `cap`."""

    attempts: int = 3
    base: float = 0.1
    cap: float = 2.0


class RetryBudget:
    """Allows retries in proportion to the calls made, and a few for platforms that are called rarely.

    Each call earns a share of a retry, and time earns the reserve back. Neither can be saved up for long.
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


class Retrier:
    """Carries out calls in several attempts.

    Waits are spread over their whole range, so that callers do not come back together.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        budget: RetryBudget,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._sleep = sleep
        self._random = random

    async def run(
        self,
        attempt: Callable[[int], Awaitable[Result]],
        *,
        upstream: str,
        deadline: float,
        repeatable: Callable[[Exception], bool],
        wait_hint: Callable[[Exception], float | None],
        waiting: Callable[[Exception, float], None] = lambda _error, _seconds: None,
    ) -> Result:
        """Return what `attempt` returns, called with its number from 1 on, or raise what the last one raised.

        Args:
            deadline: the time, on the event loop's clock, by which another attempt must have begun.
            waiting: called before each further attempt with the error and the seconds until then.
        """

        def wait(state: RetryCallState) -> float:
            bound = min(self._policy.cap, self._policy.base * 2.0 ** (state.attempt_number - 1))
            return max(self._random() * bound, wait_hint(_error_of(state)) or 0.0)

        def stop(state: RetryCallState) -> bool:
            if state.attempt_number >= self._policy.attempts:
                return True
            left = deadline - asyncio.get_running_loop().time()
            return state.upcoming_sleep + _SHORTEST_ATTEMPT > left or not self._budget.take(upstream)

        self._budget.called(upstream)
        retrying = AsyncRetrying(
            sleep=self._sleep,
            wait=wait,
            stop=stop,
            before_sleep=lambda state: waiting(_error_of(state), state.upcoming_sleep),
            retry=retry_if_exception(lambda error: isinstance(error, Exception) and repeatable(error)),
            reraise=True,
        )
        numbers = count(1)

        async def once() -> Result:
            return await attempt(next(numbers))

        return await retrying(once)


def _error_of(state: RetryCallState) -> Exception:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, Exception)  # noqa: S101 - nothing else is retried
    return error


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header (RFC 9110, section 10.2.3): seconds, or a date. from `now`.

    None for a header that says nothing; at most a day, never negative.
    """
    if text is None:
        return None
    given = text.strip()
    if given.isascii() and given.isdecimal():
        return min(float(given), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(given)
    except (ValueError, OverflowError):
        return None
    # A date without a zone is the asctime form, which is in UTC (RFC 9110, section 5.6.7).
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), _LONGEST_WAIT)
