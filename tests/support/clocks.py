"""Clocks that stand still until a test moves them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """A clock for what takes one as `now`; `sleep` moves it and notes for how long."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += seconds


@contextmanager
def ruling(clock: Clock) -> Iterator[None]:
    """Have the running event loop tell the clock's time; its timers fire only when the clock is moved."""
    loop = asyncio.get_running_loop()
    loop.time = clock  # type: ignore[method-assign]  # the loop offers no other way
    try:
        yield
    finally:
        del loop.time


async def settle() -> None:
    """Let everything run that is ready to."""
    for _ in range(10):
        await asyncio.sleep(0)
