"""Taking slots of bulkheads, and waiting for them."""

import asyncio

from app.policies.bulkhead import Bulkhead
from tests.support.clocks import Clock, settle

FAR = 1e9
"""A time that does not come."""

Waiter = asyncio.Task[None]


def make(limit: int = 1, bulk_limit: int | None = None, *, queue: int = 10, wait: float = 60.0) -> Bulkhead:
    """Return a bulkhead of so many slots; bulk calls may take all of them unless it is said otherwise."""
    bulkhead = Bulkhead("upstream", queue=queue, wait=wait)
    bulkhead.resize(limit, bulk_limit or limit)
    return bulkhead


async def take(bulkhead: Bulkhead, times: int = 1, *, bulk: bool = False) -> None:
    """Take slots that are free, or wait."""
    for _ in range(times):
        await bulkhead.acquire("holder", bulk=bulk, until=FAR)


async def wait_for(bulkhead: Bulkhead, owner: str = "waiter", *, bulk: bool = False, until: float = FAR) -> Waiter:
    """Begin to wait for a slot, behind those who wait already."""
    task = asyncio.create_task(bulkhead.acquire(owner, bulk=bulk, until=until))
    await settle()
    return task


def holds(waiter: Waiter) -> bool:
    """Tell whether one who waited has got a slot; raises what it has got instead."""
    return waiter.done() and waiter.result() is None


async def give_back(bulkhead: Bulkhead, *, bulk: bool = False) -> None:
    """Give a slot back and let the one who gets it run."""
    bulkhead.release(bulk=bulk)
    await settle()


async def let_pass(clock: Clock, seconds: float) -> None:
    """Move the clock and let everything run that is due then."""
    clock.now += seconds
    await settle()
