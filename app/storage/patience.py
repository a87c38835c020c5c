"""Time limits that a busy event loop does not use up."""

import asyncio
from types import TracebackType

_STEPS = 8


class Patience:
    """A context that takes at most so many seconds of a loop that has time for it; then it raises `TimeoutError`.

    A limit by the clock alone punishes the one who waits for what the loop itself was late with: after a burst has held
    it up, a reply that has long arrived is found only once the limit has passed. So the time is counted in eight steps,
    and however late the loop is with one, it counts as one.

    Args:
        seconds: how long to wait.
    """

    def __init__(self, seconds: float) -> None:
        self._step = seconds / _STEPS
        self._left = _STEPS
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._step, self._count)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, traceback)

    def _count(self) -> None:
        self._left -= 1
        if self._left:
            self._timer = self._loop.call_later(self._step, self._count)
        else:
            self._timeout.reschedule(self._loop.time())
