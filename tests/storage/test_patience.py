"""Time limits that a busy event loop does not use up."""

import asyncio
import time

import pytest

from app.storage.patience import Patience


async def test_what_is_quick_enough_is_left_alone() -> None:
    async with Patience(10):
        await asyncio.sleep(0)


async def test_waiting_ends() -> None:
    with pytest.raises(TimeoutError):
        async with Patience(0.01):
            await asyncio.Event().wait()


async def test_a_failure_is_passed_on() -> None:
    with pytest.raises(LookupError):
        async with Patience(10):
            raise LookupError


async def test_time_in_which_the_loop_was_held_up_does_not_count() -> None:
    loop = asyncio.get_running_loop()
    reply = loop.create_future()
    async with Patience(0.05):
        loop.call_soon(time.sleep, 0.1)
        # What comes of this takes the loop a few rounds more, as what a socket delivers does.
        loop.call_later(0.05, loop.call_soon, loop.call_soon, reply.set_result, "reply")
        assert await reply == "reply"


async def test_a_cancellation_is_one() -> None:
    async def wait() -> None:
        async with Patience(10):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
