"""The deadlines of many calls over one timer of the event loop.

`asyncio.timeout` makes a timer for every call, which next to no call needs; making and closing one takes uvloop a
twentieth of the time of a small read.
"""

import asyncio
from math import inf
from operator import attrgetter
from types import TracebackType
from typing import cast

_PRECISION = 0.001
"""Seconds by which the loop's timers may ring early."""


class Deadlines:
    """The deadlines of the calls under way on one event loop."""

    def __init__(self) -> None:
        self._limits: set[TimeLimit] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf

    def until(self, moment: float) -> "TimeLimit":
        """Return a context that is cancelled at a moment, on the event loop's clock, and raises `TimeoutError` then."""
        return TimeLimit(self, moment)

    def begin(self, limit: "TimeLimit") -> None:
        """Watch over a deadline."""
        self._limits.add(limit)
        if limit.moment < self._rings_at:
            self._ring_at(limit.moment)

    def end(self, limit: "TimeLimit") -> None:
        """Watch over it no longer; the timer may ring for nobody."""
        self._limits.discard(limit)

    def _ring_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = moment
        self._timer = asyncio.get_running_loop().call_at(moment, self._ring)

    def _ring(self) -> None:
        self._timer, self._rings_at = None, inf
        now = asyncio.get_running_loop().time() + _PRECISION
        for limit in sorted(self._limits, key=attrgetter("moment")):
            if limit.moment > now:
                break
            self._limits.discard(limit)
            limit.expire()
        if self._limits:
            self._ring_at(min(limit.moment for limit in self._limits))


class TimeLimit:
    """One deadline; as `asyncio.timeout_at`, but it cannot be moved.

    Args:
        deadlines: rings.
        moment: when, on the event loop's clock.
    """

    __slots__ = ("_before", "_deadlines", "_expired", "_task", "moment")

    def __init__(self, deadlines: Deadlines, moment: float) -> None:
        self.moment = moment
        self._deadlines = deadlines
        self._expired = False
        self._before = 0
        self._task: asyncio.Task[object]

    def __enter__(self) -> None:
        """Begin, in a task."""
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._before = self._task.cancelling()
        self._deadlines.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End.

        Raises:
            TimeoutError: the time was over, and nobody else has cancelled the task.
        """
        self._deadlines.end(self)
        if self._expired and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel what goes on inside."""
        self._expired = True
        self._task.cancel()
