"""Cancellation that would be swallowed."""

import asyncio
from contextlib import suppress

import pytest

from app.state.cancelling import heeding_cancellation


async def swallow(begun: asyncio.Event) -> str:
    """Take no notice of being cancelled."""
    begun.set()
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return "reply"


async def reply() -> str:
    """Answer at once."""
    return "reply"


async def test_a_reply_is_passed_on() -> None:
    assert await heeding_cancellation(reply()) == "reply"


async def test_a_swallowed_cancellation_is_heeded() -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(heeding_cancellation(swallow(begun)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_is_heeded_before_a_failure() -> None:
    begun = asyncio.Event()

    async def fail() -> None:
        await swallow(begun)
        raise LookupError

    task = asyncio.create_task(heeding_cancellation(fail()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_failures_are_passed_on() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await heeding_cancellation(fail())


async def test_a_time_out_is_one() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await heeding_cancellation(swallow(asyncio.Event()))


async def test_who_was_cancelled_before_may_tidy_up() -> None:
    begun, replies = asyncio.Event(), []

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            replies.append(await heeding_cancellation(reply()))

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert replies == ["reply"]
