"""Locks by name."""

import asyncio

import pytest

from app.gateway.locks import Locks


async def test_one_at_a_time_per_name() -> None:
    locks, inside, most = Locks(), 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with locks.holding("a"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 1


async def test_other_names_do_not_wait() -> None:
    locks = Locks()
    async with locks.holding("a"), asyncio.timeout(5), locks.holding("b"):
        pass


async def test_a_lock_is_forgotten_and_survives_failures() -> None:
    locks = Locks()
    with pytest.raises(RuntimeError):
        async with locks.holding("a"):
            raise RuntimeError
    async with asyncio.timeout(5), locks.holding("a"):
        pass
    assert not locks._locks
