"""Waiting and time as a test wants them."""

import asyncio

from tests.support.sockets import until


class Rounds:
    """A `sleep` that ends when the test says so, and a clock that stands until then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._waiting: list[asyncio.Future[None]] = []

    def clock(self) -> float:
        """Return the time in seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait until the test lets go."""
        self.slept.append(seconds)
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    async def asleep(self) -> None:
        """Wait until somebody sleeps."""
        await until(lambda: bool(self._sleepers()))

    async def wake(self) -> None:
        """Let those who sleep go on, once somebody does."""
        await self.asleep()
        for waiting in self._sleepers():
            waiting.set_result(None)
        self._waiting.clear()

    def _sleepers(self) -> list["asyncio.Future[None]"]:
        return [waiting for waiting in self._waiting if not waiting.done()]


async def never(_seconds: float) -> None:
    """Sleep until cancelled: a process that has lost its way."""
    await asyncio.Event().wait()
