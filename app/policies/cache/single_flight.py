"""Single flight: work that several ask for at the same time is done once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One piece of work under way, in a task of its own."""

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.waiters = 0
        self.superseded = False
        """Whether a later flight with the same key has begun."""
        self.traceback: TracebackType | None = None
        self.task: asyncio.Task[T]


class SingleFlight(Generic[T]):
    """The flights of this process. One that nobody waits for any more is cancelled; who leaves fails nobody else."""

    def __init__(self) -> None:
        self._current: dict[Hashable, Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()

    def find(self, key: Hashable) -> Flight[T] | None:
        """Return the flight with this key that began last, if it is still under way."""
        flight = self._current.get(key)
        return None if flight is None or flight.task.done() else flight

    def start(self, key: Hashable, work: Callable[[Flight[T]], Coroutine[Any, Any, T]]) -> Flight[T]:
        """Begin a flight, also if there is one already; whoever finds the key from now on finds this one."""
        earlier = self.find(key)
        if earlier is not None:
            earlier.superseded = True
        flight: Flight[T] = Flight(key)
        flight.task = asyncio.get_running_loop().create_task(work(flight))
        self._current[key] = flight
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda task: self._landed(flight, task))
        return flight

    async def wait(self, flight: Flight[T]) -> T:
        """Return what a flight brings, or raise what its work raised."""
        await self.hold(flight)
        error = None if flight.task.cancelled() else flight.task.exception()
        if error is None:
            return flight.task.result()
        # Each waiter raises the same error, which would otherwise collect the frames of all of them.
        flight.traceback = flight.traceback or error.__traceback__
        raise error.with_traceback(flight.traceback)

    async def hold(self, flight: Flight[T]) -> None:
        """Keep a flight going until it has landed, well or badly."""
        flight.waiters += 1
        try:
            await asyncio.wait([flight.task])
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                self._forget(flight)
                flight.task.cancel()

    async def aclose(self) -> None:
        """Cancel every flight and wait for its end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _landed(self, flight: Flight[T], task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        self._forget(flight)
        if not task.cancelled():
            task.exception()

    def _forget(self, flight: Flight[T]) -> None:
        if self._current.get(flight.key) is flight:
            del self._current[flight.key]
