"""Rights that end by themselves unless they are renewed, so that they do not outlive a process that dies."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

Sleep = Callable[[float], Awaitable[object]]

_RENEWALS_PER_LEASE = 3


class Lease:
    """A right that is renewed in the background until it is stopped or lost."""

    def __init__(
        self,
        renew: Callable[[], Awaitable[bool]],
        *,
        seconds: float,
        failure: type[Exception],
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        since: float | None = None,
    ) -> None:
        """Take over a right that has just been given.

        Args:
            renew: makes the right last for `seconds` more; False says that it is lost.
            seconds: how long the right lasts without being renewed.
            failure: what `renew` raises when it cannot tell; it is then tried again.
            sleep: waits for some seconds.
            clock: returns the time in seconds.
            since: when the right was asked for, by that clock; now by default.
        """
        self._renew = renew
        self._seconds = seconds
        self._failure = failure
        self._sleep = sleep
        self._clock = clock
        self._until = (clock() if since is None else since) + seconds
        self._stopped = False
        self._task = asyncio.create_task(self._keep())

    @property
    def held(self) -> bool:
        """Whether the right is certainly still there."""
        return self._clock() < self._until

    async def stop(self) -> None:
        """Renew it no more."""
        # Noted as well, in case that what renews swallows the cancellation.
        self._stopped = True
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _keep(self) -> None:
        while self._until > -math.inf and not self._stopped:
            await self._sleep(self._seconds / _RENEWALS_PER_LEASE)
            self._until = await self._renewed()

    async def _renewed(self) -> float:
        # The right lasts from when the store saw the call, which may have been at once.
        begun = self._clock()
        try:
            return begun + self._seconds if await self._renew() else -math.inf
        except self._failure:
            return self._until
