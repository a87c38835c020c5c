"""Lookups that several requests ask for at once and that are done once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Flights(Generic[K, T]):
    """The lookups under way."""

    def __init__(self) -> None:
        self._current: dict[K, asyncio.Task[T]] = {}

    async def join(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `work` brings, begun now or by another; one who is cancelled takes no other along."""
        task = self._current.get(key)
        if task is None:
            task = asyncio.create_task(work())
            self._current[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def leave(self) -> None:
        """Let nobody join the lookups that have begun by now."""
        self._current.clear()

    def _landed(self, key: K, task: asyncio.Task[T]) -> None:
        if self._current.get(key) is task:
            del self._current[key]
        # Asked for, so that a failure nobody waits for any more is not reported as overlooked.
        with suppress(asyncio.CancelledError):
            task.exception()
