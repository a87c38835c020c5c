"""Circuit breakers: a platform that keeps failing is left alone for a while, then tried with one call at a time."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

_BUCKETS = 10
_LONGEST_PAUSE = 120.0
_LOOKS = 8
"""Breakers looked at for each new one; more than one, so that a crowd shrinks again."""


class State(StrEnum):
    """How a breaker treats calls."""

    CLOSED = "closed"
    """They pass."""
    OPEN = "open"
    """They are refused."""
    HALF_OPEN = "half_open"
    """One at a time passes, to find out."""


class Verdict(StrEnum):
    """What a call tells of the other side."""

    SUCCESS = "success"
    FAILURE = "failure"
    NONE = "none"
    """Nothing: it was cancelled, or given too little time."""


class BreakerOpen(Exception):
    """The call is refused.

    Args:
        retry_after: seconds until it is worth asking again.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and for how long.

    Args:
        window: seconds over which calls are counted.
        minimum_calls: calls in the window without which nothing is concluded.
        failure_ratio: share of failures from which it opens.
        slow_call: seconds from which a call counts as failed whatever it ended in.
        open_for: seconds for which it stays open; doubles with each probe that fails.
    """

    window: float = 30.0
    minimum_calls: int = 20
    failure_ratio: float = 0.5
    slow_call: float = 10.0
    open_for: float = 15.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a breaker stands: its state, the calls and failures in its window, seconds until it may be tried."""

    state: State
    calls: int
    failures: int
    retry_after: float | None


class Admission:
    """One call that was let through, and must end in `done`: a half-open breaker lets nobody else through until then.

    Args:
        breaker: whose.
        epoch: which stretch of the breaker's life it belongs to; a verdict from an earlier one is not heard.
    """

    def __init__(self, breaker: "CircuitBreaker", epoch: int) -> None:
        self._breaker = breaker
        self._epoch = epoch
        self._done = False

    def done(self, verdict: Verdict, seconds: float) -> None:
        """Tell what the call ended in and how long it took; only the first time counts."""
        if not self._done:
            self._done = True
            self._breaker.finished(self._epoch, verdict, seconds)


class CircuitBreaker:
    """One breaker.

    Args:
        policy: when it opens.
        now: a clock that only goes forward.
        on_change: told of every change of its state.
    """

    def __init__(
        self,
        policy: BreakerPolicy,
        now: Callable[[], float] = time.monotonic,
        on_change: Callable[[State, State], None] = lambda _before, _after: None,
    ) -> None:
        self._policy = policy
        self._now = now
        self._on_change = on_change
        self._buckets: deque[list[float]] = deque(maxlen=_BUCKETS)
        self._epoch = 0
        self._until = 0.0
        self._pause = policy.open_for
        self._probing = False
        self.state = State.CLOSED

    def admit(self) -> Admission:
        """Let a call through.

        Raises:
            BreakerOpen: not now.
        """
        if self.state is State.OPEN and self._now() >= self._until:
            self._change(State.HALF_OPEN)
        if self.state is State.OPEN:
            raise BreakerOpen(self._until - self._now())
        if self.state is State.HALF_OPEN:
            if self._probing:
                raise BreakerOpen(1.0)
            self._probing = True
        return Admission(self, self._epoch)

    def finished(self, epoch: int, verdict: Verdict, seconds: float) -> None:
        """Take a call's verdict."""
        if epoch != self._epoch:
            return
        if verdict is not Verdict.FAILURE and seconds >= self._policy.slow_call:
            verdict = Verdict.FAILURE
        if self.state is State.HALF_OPEN:
            self._probed(verdict)
        elif verdict is not Verdict.NONE:
            self._count(failed=verdict is Verdict.FAILURE)

    def snapshot(self) -> Snapshot:
        """Return how it stands."""
        calls, failures = self._counts()
        retry_after = max(self._until - self._now(), 0.0) if self.state is State.OPEN else None
        return Snapshot(self.state, calls, failures, retry_after)

    def idle(self) -> bool:
        """Tell whether it knows nothing that would be lost with it."""
        return self.state is State.CLOSED and self._counts() == (0, 0)

    def _probed(self, verdict: Verdict) -> None:
        self._probing = False
        if verdict is Verdict.SUCCESS:
            self._pause = self._policy.open_for
            self._change(State.CLOSED)
        elif verdict is Verdict.FAILURE:
            self._pause = min(self._pause * 2, max(_LONGEST_PAUSE, self._policy.open_for))
            self._open()

    def _count(self, *, failed: bool) -> None:
        number = self._now() // (self._policy.window / _BUCKETS)
        if not self._buckets or self._buckets[-1][0] != number:
            self._buckets.append([number, 0, 0])
        self._buckets[-1][1] += 1
        self._buckets[-1][2] += failed
        if failed and self._fails_too_often():
            self._open()

    def _fails_too_often(self) -> bool:
        calls, failures = self._counts()
        return calls >= self._policy.minimum_calls and failures >= calls * self._policy.failure_ratio

    def _counts(self) -> tuple[int, int]:
        oldest = self._now() // (self._policy.window / _BUCKETS) - _BUCKETS
        current = [bucket for bucket in self._buckets if bucket[0] > oldest]
        return int(sum(bucket[1] for bucket in current)), int(sum(bucket[2] for bucket in current))

    def _open(self) -> None:
        self._until = self._now() + self._pause
        self._change(State.OPEN)

    def _change(self, state: State) -> None:
        before, self.state = self.state, state
        self._epoch += 1
        self._probing = False
        self._buckets.clear()
        self._on_change(before, state)


class Breakers:
    """One breaker for each name, made when it is first asked for.

    Args:
        policy: of all of them.
        now: a clock that only goes forward.
        on_change: told of every change of a breaker's state.
        most: names kept at most; only breakers that know nothing are forgotten.
    """

    def __init__(
        self,
        policy: BreakerPolicy,
        now: Callable[[], float] = time.monotonic,
        on_change: Callable[[State, State], None] = lambda _before, _after: None,
        most: int = 10_000,
    ) -> None:
        self._policy = policy
        self._now = now
        self._on_change = on_change
        self._most = most
        self._breakers: OrderedDict[str, CircuitBreaker] = OrderedDict()

    def get(self, name: str) -> CircuitBreaker:
        """Return the breaker of a name."""
        breaker = self._breakers.get(name)
        if breaker is None:
            self._make_room()
            breaker = self._breakers[name] = CircuitBreaker(self._policy, self._now, self._on_change)
        return breaker

    def snapshot(self) -> dict[str, Snapshot]:
        """Return how each breaker stands."""
        return {name: breaker.snapshot() for name, breaker in self._breakers.items()}

    def _make_room(self) -> None:
        for name, breaker in list(islice(self._breakers.items(), _LOOKS)):
            if len(self._breakers) < self._most:
                return
            if breaker.idle():
                del self._breakers[name]
            else:
                self._breakers.move_to_end(name)
