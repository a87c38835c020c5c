"""Circuit breakers: whoever keeps failing is left alone for a while, then tried with one call at a time."""

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import NamedTuple

_BUCKETS = 10
_LONGEST_PAUSE = 120.0
_MOST_LOGINS = 100  # whose failures are told apart in one bucket


class CircuitState(StrEnum):
    """How a breaker treats calls."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # one at a time passes, to find out


class CallHealth(StrEnum):
    """What a call says about the other side."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"  # it was cancelled, or given too little time


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


class Snapshot(NamedTuple):
    """How a breaker stands: its state, the calls and failures in its window, seconds until it may be tried."""

    state: CircuitState
    calls: int
    failures: int
    retry_after: float | None


@dataclass(slots=True)
class Permit:
    """One call that was let through; it must end in `done`, because a half-open breaker lets nobody else through."""

    _breaker: "CircuitBreaker"
    _epoch: int
    _login: str
    _done: bool = False

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
        left = self._until - self._now()
        if self.state is CircuitState.OPEN and left <= 0:
            self._change(CircuitState.HALF_OPEN)
        if self.state is CircuitState.OPEN or (self._suspect is not None and login == self._suspect and left > 0):
            raise BreakerOpen(left)
        if self.state is CircuitState.HALF_OPEN:
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
        calls, failures = self._totals()
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
        calls, failures = self._totals()
        if self._shared:
            by_login = sum((each.by_login for each in self._current()), Counter[str]())
            worst = max(by_login.values(), default=0)
            calls, failures = calls - worst, failures - worst
        return calls >= self._policy.minimum_calls and failures >= calls * self._policy.failure_ratio

    def _totals(self) -> tuple[int, int]:
        current = self._current()
        return sum(each.calls for each in current), sum(each.failures for each in current)

    def _current(self) -> list[_Bucket]:
        oldest = self._now() // (self._policy.window / _BUCKETS) - _BUCKETS
        return [bucket for bucket in self._buckets if bucket.number > oldest]

    def _open(self) -> None:
        self._until = self._now() + self._pause
        self._change(CircuitState.OPEN)

    def _change(self, state: CircuitState) -> None:
        before, self.state = self.state, state
        self._epoch += 1
        self._probing, self._suspect = False, None
        self._buckets.clear()
        self._on_change(before, state)


_LOOKS = 8  # at breakers for each new one; more than one, so that a crowd shrinks again


class BreakerKey(NamedTuple):
    """Whose breaker: a platform's, or that of one login there, with the tenant that uses it."""

    platform: str
    login: str | None = None
    tenant: str | None = None


OnChange = Callable[[BreakerKey, CircuitState, CircuitState], None]


class Permits(NamedTuple):
    """One call that the breakers of its login and of its platform let through."""

    login: Permit
    platform: Permit

    def done(self, health: CallHealth, seconds: float) -> None:
        self.login.done(health, seconds)
        self.platform.done(health, seconds)


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
        own = self.get(BreakerKey(platform, login, tenant)).admit(login)
        try:
            return Permits(own, self.get(BreakerKey(platform)).admit(login))
        except BaseException:
            own.done(CallHealth.UNKNOWN, 0.0)
            raise

    def get(self, key: BreakerKey) -> CircuitBreaker:
        breaker = self._breakers.get(key)
        if breaker is None:
            self._make_room()
            changed = partial(self._on_change, key)
            breaker = CircuitBreaker(self._policy, self._now, changed, shared=key.login is None)
            self._breakers[key] = breaker
        return breaker

    def snapshot(self) -> dict[BreakerKey, Snapshot]:
        return {key: breaker.snapshot() for key, breaker in self._breakers.items()}

    def refusing(self) -> int:
        return sum(breaker.refuses() for breaker in self._breakers.values())

    def _make_room(self) -> None:
        for key, breaker in list(islice(self._breakers.items(), _LOOKS)):
            if len(self._breakers) < self._most:
                return
            if breaker.idle():
                del self._breakers[key]
            else:
                self._breakers.move_to_end(key)
