"""Circuit breakers: whoever keeps failing is left alone for a while, then tried with one call at a time.

Each login of a platform has a breaker, and the platform has one that opens only for failures of more than one login:
nobody closes a platform to the others.
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

_BUCKETS = 10
_LONGEST_PAUSE = 120.0
_MOST_LOGINS = 100
"""Logins whose failures are told apart in one bucket."""


class CircuitState(StrEnum):
    """How a breaker treats calls."""

    CLOSED = "closed"
    """They pass."""
    OPEN = "open"
    """They are refused."""
    HALF_OPEN = "half_open"
    """One at a time passes, to find out."""


class CallHealth(StrEnum):
    """What a call says about the other side."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    """It was cancelled, or given too little time."""


class BreakerOpen(Exception):
    """The call is refused; `retry_after` is the seconds until it is worth asking again."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and for how long, in seconds."""

    window: float = 30.0
    minimum_calls: int = 20
    """Calls in the window without which nothing is concluded."""
    failure_ratio: float = 0.5
    slow_call: float = 10.0
    """From so many seconds a call counts as failed whatever it ended in."""
    open_for: float = 15.0
    """Doubles with each probe that fails."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a breaker stands: its state, the calls and failures in its window, seconds until it may be tried."""

    state: CircuitState
    calls: int
    failures: int
    retry_after: float | None


class Permit:
    """One call that was let through; it must end in `done`, because a half-open breaker lets nobody else through."""

    def __init__(self, breaker: "CircuitBreaker", epoch: int, login: str) -> None:
        self._breaker = breaker
        self._epoch = epoch
        self._login = login
        self._done = False

    def done(self, health: CallHealth, seconds: float) -> None:
        """Report what the call ended in and how long it took; only the first time counts."""
        if not self._done:
            self._done = True
            self._breaker.finished(self._epoch, health, seconds, self._login)


@dataclass(slots=True)
class _Bucket:
    number: float
    calls: int = 0
    failures: int = 0
    by_login: Counter[str] = field(default_factory=Counter)

    def failed(self, login: str) -> None:
        self.failures += 1
        if login in self.by_login or len(self.by_login) < _MOST_LOGINS:
            self.by_login[login] += 1


class CircuitBreaker:
    """One breaker; if it is `shared`, the login that failed most does not count."""

    def __init__(
        self,
        policy: BreakerPolicy,
        now: Callable[[], float] = time.monotonic,
        on_change: Callable[[CircuitState, CircuitState], None] = lambda _before, _after: None,
        *,
        shared: bool = False,
    ) -> None:
        self._policy = policy
        self._now = now
        self._on_change = on_change
        self._shared = shared
        self._buckets: deque[_Bucket] = deque(maxlen=_BUCKETS)
        self._epoch = 0
        self._until = 0.0
        self._pause = policy.open_for
        self._probing = False
        self._suspect: str | None = None
        """The login whose probe failed; if the breaker is shared, it takes another one's to believe it."""
        self.state = CircuitState.CLOSED

    def admit(self, login: str = "") -> Permit:
        """Let a call through, or raise BreakerOpen."""
        if self.state is CircuitState.OPEN and self._now() >= self._until:
            self._change(CircuitState.HALF_OPEN)
        if self.state is CircuitState.OPEN:
            raise BreakerOpen(self._until - self._now())
        if self.state is CircuitState.HALF_OPEN:
            if login == self._suspect and self._now() < self._until:
                raise BreakerOpen(self._until - self._now())
            if self._probing:
                raise BreakerOpen(1.0)
            self._probing = True
        return Permit(self, self._epoch, login)

    def finished(self, epoch: int, health: CallHealth, seconds: float, login: str) -> None:
        """Take a call's end into account, unless the breaker has changed its state since the call began."""
        if epoch != self._epoch:
            return
        if health is not CallHealth.BAD and seconds >= self._policy.slow_call:
            health = CallHealth.BAD
        if self.state is CircuitState.HALF_OPEN:
            self._probed(health, login)
        elif health is not CallHealth.UNKNOWN:
            self._count(login, failed=health is CallHealth.BAD)

    def snapshot(self) -> Snapshot:
        """Return how it stands."""
        current = self._current()
        calls, failures = sum(each.calls for each in current), sum(each.failures for each in current)
        retry_after = max(self._until - self._now(), 0.0) if self.state is CircuitState.OPEN else None
        return Snapshot(self.state, calls, failures, retry_after)

    def refuses(self) -> bool:
        """Tell whether calls are refused now; one that nobody has called since its pause ended does not."""
        return self.state is CircuitState.HALF_OPEN or (self.state is CircuitState.OPEN and self._now() < self._until)

    def idle(self) -> bool:
        """Tell whether it knows nothing that would be lost with it."""
        if self.state is CircuitState.OPEN:
            return self._now() >= self._until + self._policy.window
        return self.state is CircuitState.CLOSED and not any(each.calls for each in self._current())

    def _probed(self, health: CallHealth, login: str) -> None:
        self._probing = False
        if health is CallHealth.GOOD:
            self._pause = self._policy.open_for
            self._change(CircuitState.CLOSED)
        elif health is CallHealth.BAD:
            self._pause = min(self._pause * 2, max(_LONGEST_PAUSE, self._policy.open_for))
            if self._shared and self._suspect in {None, login}:
                self._suspect, self._until = login, self._now() + self._pause
            else:
                self._open()

    def _count(self, login: str, *, failed: bool) -> None:
        number = self._now() // (self._policy.window / _BUCKETS)
        if not self._buckets or self._buckets[-1].number != number:
            self._buckets.append(_Bucket(number))
        bucket = self._buckets[-1]
        bucket.calls += 1
        if failed:
            bucket.failed(login)
            if self._fails_too_often():
                self._open()

    def _fails_too_often(self) -> bool:
        current = self._current()
        calls, failures = sum(each.calls for each in current), sum(each.failures for each in current)
        if self._shared:
            by_login: Counter[str] = Counter()
            for each in current:
                by_login.update(each.by_login)
            worst = max(by_login.values(), default=0)
            calls, failures = calls - worst, failures - worst
        return calls >= self._policy.minimum_calls and failures >= calls * self._policy.failure_ratio

    def _current(self) -> list[_Bucket]:
        oldest = self._now() // (self._policy.window / _BUCKETS) - _BUCKETS
        return [bucket for bucket in self._buckets if bucket.number > oldest]

    def _open(self) -> None:
        self._until = self._now() + self._pause
        self._change(CircuitState.OPEN)

    def _change(self, state: CircuitState) -> None:
        before, self.state = self.state, state
        self._epoch += 1
        self._probing = False
        self._suspect = None
        self._buckets.clear()
        self._on_change(before, state)
