"""Many deadlines over one timer: each ends what it is for, in time, and nothing else."""

import asyncio

import pytest

from app.upstream.deadlines import Deadlines

LONG = 1000.0


async def wait(deadlines: Deadlines, seconds: float) -> None:
    """Wait for nothing, until the time is over."""
    with deadlines.until(asyncio.get_running_loop().time() + seconds):
        await asyncio.Event().wait()


async def test_what_is_done_in_time_is_left_alone() -> None:
    deadlines = Deadlines()
    with deadlines.until(asyncio.get_running_loop().time() + LONG):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.01])
async def test_ends_what_takes_too_long(seconds: float) -> None:
    with pytest.raises(TimeoutError):
        await wait(Deadlines(), seconds)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("order", [(0.02, 0.01, LONG), (LONG, 0.01, 0.02), (0.01, LONG, 0.02)])
async def test_each_at_its_own_time(order: tuple[float, ...]) -> None:
    deadlines, ended = Deadlines(), []

    async def note(seconds: float) -> None:
        with pytest.raises(TimeoutError):
            await wait(deadlines, seconds)
        ended.append(seconds)

    tasks = {seconds: asyncio.create_task(note(seconds)) for seconds in order}
    await asyncio.wait([tasks[0.01], tasks[0.02]])
    assert ended == [0.01, 0.02]
    assert not tasks[LONG].done()
    tasks[LONG].cancel()


async def test_rings_again_after_it_has_rung_for_nobody() -> None:
    deadlines = Deadlines()
    with deadlines.until(asyncio.get_running_loop().time() + 0.001):
        pass
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await wait(deadlines, 0.01)


async def test_not_earlier_than_it_should() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError):
        await wait(Deadlines(), 0.02)
    assert loop.time() - began >= 0.018


async def test_who_is_cancelled_by_others_is_cancelled() -> None:
    task = asyncio.create_task(wait(Deadlines(), LONG))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_by_others_as_well_is_cancelled() -> None:
    deadlines = Deadlines()
    task = asyncio.create_task(wait(deadlines, LONG))
    await asyncio.sleep(0)
    (limit,) = deadlines._limits
    limit.expire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_inside_comes_out() -> None:
    with pytest.raises(KeyError), Deadlines().until(asyncio.get_running_loop().time() + LONG):
        raise KeyError


async def test_within_another() -> None:
    deadlines = Deadlines()
    with deadlines.until(asyncio.get_running_loop().time() + LONG):
        with pytest.raises(TimeoutError):
            await wait(deadlines, 0.01)
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await wait(deadlines, LONG)
