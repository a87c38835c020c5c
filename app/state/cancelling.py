"""Cancellation that the client of Valkey would swallow."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


async def heeding_cancellation(reply: Awaitable[T]) -> T:
    """Wait for a command's reply, and give way if the caller was cancelled in the meantime.

    Below Python 3.12 `asyncio.wait_for`, with which redis-py sends commands, forgets a cancellation that comes just as
    it is done: who was cancelled would go on, and who waits for that would wait for ever.

    Raises:
        asyncio.CancelledError: the caller was cancelled; whether the command was carried out is not known.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        result = await reply
    except Exception:
        _heed(task, before)
        raise
    _heed(task, before)
    return result


def _heed(task: asyncio.Task[Any] | None, before: int) -> None:
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
