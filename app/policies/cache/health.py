"""Whether the shared store may be used, and what has to be made up for before it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from app.policies.cache.scripts import MEMORY

_PAUSE = 0.5
_GATHERING = 1.5
"""Seconds in which every replica that can reach the store has reached it; thrice the pause."""


@dataclass(frozen=True, slots=True)
class Moment:
    """How many failures and losses there had been at one moment."""

    failures: int
    losses: int


class Health:
    """The state of the shared store as this replica knows it; it is taken as down until it has been reached.

    A store that merely kept someone waiting is left alone for a moment. If an invalidation was missed, or the store may
    have come back as it was some time ago, everything in it has to be made invalid before it is used again.

    A replica that finds the store again waits a moment for the others to do so too: what they write before that,
    nobody tells it.

    Args:
        clock: a monotonic clock in seconds.
        pause: seconds for which the store is left alone after a failure.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, pause: float = _PAUSE) -> None:
        self._clock = clock
        self._pause = pause
        self._moment = Moment(0, 0)
        self._retry_at = clock()
        self._down_since = clock()
        self._strange = False
        self._usable_at = clock()
        self.reachable = False
        """Whether it is worth telling the store about writes."""
        self.up = False
        """Whether the store may be used for reads."""
        self.distrusted = False
        """Whether everything in the store has to be made invalid first."""

    @property
    def moment(self) -> Moment:
        """The present moment, to tell later whether something has gone wrong since."""
        return self._moment

    def seconds_to_retry(self) -> float:
        """Return for how long the store is to be left alone; not above 0 if it need not be."""
        return self._retry_at - self._clock()

    def seconds_down(self) -> float:
        """Return for how long the store has not been reached."""
        return self._clock() - self._down_since

    def failed(self) -> None:
        """Note that the store did not do what it was asked to."""
        self._down(Moment(self._moment.failures + 1, self._moment.losses))

    def missed(self) -> None:
        """Note that the store has not been told of an invalidation."""
        self.distrusted = True
        self.up = False
        self._moment = Moment(self._moment.failures, self._moment.losses + 1)

    def lost(self) -> None:
        """Note that the store may have become another, or gone back in time."""
        self._strange = True
        self.missed()
        self.failed()

    def reached(self, since: Moment) -> None:
        """Note that the store answers, to an attempt that began at `since`; from now on no write is missed."""
        if self._moment.failures != since.failures:
            self.reachable = False
            return
        if not self.reachable and (self._strange or self.seconds_down() >= MEMORY):
            self._usable_at = self._clock() + _GATHERING
        self._strange = False
        self.reachable = True

    def made_up(self, since: Moment) -> None:
        """Note that everything in the store that is older than `since` is invalid, so that reads may use it."""
        if self._moment == since:
            self.distrusted = False
            self.up = self.reachable and self._clock() >= self._usable_at

    def _down(self, moment: Moment) -> None:
        self._moment = moment
        if self.reachable:
            self._down_since = self._clock()
        self.reachable = self.up = False
        # What fails together counts once: a flow of failing requests must not put the next attempt off for ever.
        if self.seconds_to_retry() <= 0:
            self._retry_at = self._clock() + self._pause
