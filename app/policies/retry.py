"""Trying again: when, how often, and how long to wait before."""

import asyncio
import random as randomness
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from app.policies.budget import RetryBudget

Result = TypeVar("Result")

_SHORTEST_TRY = 0.05
"""Seconds without which another try is not worth beginning."""
_LONGEST_WAIT = 86_400.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try, and how long to wait in between.

    Args:
        attempts: most tries.
        base: the first wait is between nothing and this many seconds; the bound doubles with each try.
        cap: the bound's own bound, in seconds.
    """

    attempts: int = 3
    base: float = 0.1
    cap: float = 2.0


class Retrier:
    """Carries out calls in several tries.

    Args:
        policy: how often and how long.
        budget: how many retries a platform gets.
        sleep: waits.
        random: draws from 0 to 1; waits are spread over their whole range, so that callers do not come back together.
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
        """Return what `attempt` returns; it is called with the number of the try, from 1.

        Args:
            attempt: one try.
            upstream: whose budget pays for further tries.
            deadline: the time, on the event loop's clock, by which another try must have begun.
            repeatable: tells of an error whether the call may be tried again after it.
            wait_hint: the seconds that the other side asked to be left alone, if it did.
            waiting: told, before each further try, of the error and of the seconds until then.

        Raises:
            Exception: what the last try raised, unchanged.
        """

        self._budget.called(upstream)
        try:
            # Most calls need no second try, and what makes further ones costs as much as a quick call.
            return await attempt(1)
        except Exception as error:
            if not repeatable(error):
                raise
            first = error
        retrying = self._retrying(upstream, deadline, repeatable, wait_hint, waiting)
        number = 0

        async def next_attempt() -> Result:
            nonlocal number
            number += 1
            if number == 1:
                raise first
            return await attempt(number)

        return await retrying(next_attempt)

    def _retrying(
        self,
        upstream: str,
        deadline: float,
        repeatable: Callable[[Exception], bool],
        wait_hint: Callable[[Exception], float | None],
        waiting: Callable[[Exception, float], None],
    ) -> AsyncRetrying:
        def wait(state: RetryCallState) -> float:
            bound = min(self._policy.cap, self._policy.base * 2.0 ** (state.attempt_number - 1))
            error = state.outcome.exception() if state.outcome else None
            hint = wait_hint(error) if isinstance(error, Exception) else None
            return max(self._random() * bound, hint or 0.0)

        def stop(state: RetryCallState) -> bool:
            if state.attempt_number >= self._policy.attempts:
                return True
            left = deadline - asyncio.get_running_loop().time()
            return state.upcoming_sleep + _SHORTEST_TRY > left or not self._budget.take(upstream)

        def before_sleep(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, Exception):
                waiting(error, state.upcoming_sleep)

        return AsyncRetrying(
            sleep=self._sleep,
            wait=wait,
            stop=stop,
            before_sleep=before_sleep,
            retry=retry_if_exception(lambda error: isinstance(error, Exception) and repeatable(error)),
            reraise=True,
        )


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header (RFC 9110, section 10.2.3): seconds, or a date.

    Args:
        text: the header's value, if there is one.
        now: the current time, aware.

    Returns:
        Seconds from now, at most a day and never negative; None for a header that says nothing.
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
