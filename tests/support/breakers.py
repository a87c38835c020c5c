"""Making calls through circuit breakers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.policies.breaker import BreakerOpen, BreakerPolicy, CallHealth, CircuitBreaker, CircuitState, Permit

POLICY = BreakerPolicy(window=30.0, minimum_calls=4, failure_ratio=0.5, slow_call=10.0, open_for=15.0)


class Changes:
    """Notes every change of state."""

    def __init__(self) -> None:
        self.seen: list[tuple[CircuitState, CircuitState]] = []

    def __call__(self, before: CircuitState, after: CircuitState) -> None:
        """Note one."""
        self.seen.append((before, after))


@contextmanager
def admitted(breaker: CircuitBreaker) -> Iterator[Permit]:
    """Make a call that ends without a verdict unless it is given one before."""
    permit = breaker.admit()
    try:
        yield permit
    finally:
        permit.done(CallHealth.UNKNOWN, 0.0)


def call(breaker: CircuitBreaker, health: CallHealth, seconds: float = 0.1, times: int = 1) -> None:
    """Make calls that end in a verdict."""
    for _ in range(times):
        breaker.admit().done(health, seconds)


def opened(breaker: CircuitBreaker) -> CircuitBreaker:
    """Open a closed breaker and return it."""
    call(breaker, CallHealth.BAD, times=4)
    return breaker


def refused(breaker: CircuitBreaker) -> float:
    """Return the seconds after which a call that is refused may be tried again."""
    with pytest.raises(BreakerOpen) as caught:
        breaker.admit()
    return caught.value.retry_after
