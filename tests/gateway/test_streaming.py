"""Reading ahead: what is known before an export is answered."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from app.errors import UpstreamMalformed
from app.gateway.streaming import Rows, read_ahead

ROW = {"email": "a@example.com"}


async def collect(batches: AsyncGenerator[Rows], begun: asyncio.Event | None = None) -> tuple[Rows, bool, list[Rows]]:
    async with read_ahead(batches, deadline=0.0) as rows:
        if begun:
            begun.set()
        return rows.first, rows.complete, [batch async for batch in rows.rest()]


async def test_what_ends_in_a_moment_is_complete() -> None:
    async def batches() -> AsyncGenerator[Rows]:
        yield [ROW]
        await asyncio.sleep(0)
        yield [ROW]

    assert await collect(batches()) == ([ROW, ROW], True, [])


async def test_nothing_is_complete() -> None:
    async def batches() -> AsyncGenerator[Rows]:
        nothing: list[Rows] = []
        for rows in nothing:
            yield rows

    assert await collect(batches()) == ([], True, [])


async def test_enough_is_not_waited_on() -> None:
    async def batches() -> AsyncGenerator[Rows]:
        yield [ROW] * 600
        yield [ROW]

    assert await collect(batches()) == ([ROW] * 600, False, [[ROW]])


@pytest.mark.parametrize("more", [[], [[ROW]]])
async def test_what_takes_longer_follows(more: list[Rows]) -> None:
    begun = asyncio.Event()

    async def batches() -> AsyncGenerator[Rows]:
        yield [ROW]
        await begun.wait()
        for rows in more:
            yield rows

    assert await collect(batches(), begun) == ([ROW], False, more)


async def test_a_fault_in_a_moment_is_raised_before_anything_is_given() -> None:
    async def batches() -> AsyncGenerator[Rows]:
        yield [ROW]
        raise UpstreamMalformed("not well-formed")

    with pytest.raises(UpstreamMalformed):
        await collect(batches())


async def test_leaving_stops_the_reading() -> None:
    stopped = asyncio.Event()

    async def batches() -> AsyncGenerator[Rows]:
        try:
            yield [ROW]
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.set()

    async with read_ahead(batches(), deadline=0.0) as rows:
        assert not rows.complete
    assert stopped.is_set()
