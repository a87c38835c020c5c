"""Watchers of a test's own, which come and go, and what they have told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from app.events.watchers import Watchers
from app.services import Services
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps
from app.storage.events import log as event_log
from app.storage.events import watching
from app.storage.events.log import LoggedEvent
from app.tenants.models import Tenant
from app.tenants.store import MemoryTenantStore

FAST = 6000
"""Requests a minute."""


class WatcherProcess:
    """Watchers with a database connection of their own, which can die like a process."""

    def __init__(self, app: FastAPI, tenants: list[Tenant], url: str, *, lease: float = 1.0) -> None:
        services: Services = app.state.services
        self._database = Database(url)
        self._watchers = Watchers(
            self._database,
            MemoryTenantStore(tenants),
            services.gateway,
            services.cache,
            services.platform_clock,
            services.metrics,
            events_days=30,
            poll=0.02,
            lease=lease,
        )
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Begin to watch."""
        await self._stack.enter_async_context(self._database.running())
        await self._stack.enter_async_context(self._watchers.running())

    async def stop(self) -> None:
        """End in good order."""
        await self._stack.aclose()

    async def crash(self) -> None:
        """Lose the database and everything that is under way: nothing is let go of."""
        self._database._engine = None
        tasks = [*self._watchers._watched.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stack.aclose()


@asynccontextmanager
async def hurrying(database: Database) -> AsyncIterator[None]:
    """Have whatever is watched looked at without a pause."""

    async def hurry() -> None:
        while True:
            await database.write(_due_now)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(hurry())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _due_now() -> Steps[None]:
    yield [Statement("UPDATE watched SET due_at = {now} WHERE due_at > {now}"), Statement(_UNPAUSED)]


_UNPAUSED = "UPDATE event_streams SET ready_at = {now} + spacing WHERE ready_at > {now} + spacing"


async def want(database: Database, tenant: str, requests_per_minute: int = FAST) -> None:
    """Have a tenant's account watched."""
    await database.write(partial(watching.wanting, tenant, seconds=600.0, requests_per_minute=requests_per_minute))


async def told(database: Database, tenant: str) -> list[LoggedEvent]:
    """Return all events of a tenant."""
    return await database.read(partial(event_log.reading, tenant, 0, (), 100_000))


async def seen_states(database: Database, tenant: str) -> dict[str, str]:
    """Return the status in which each campaign was last seen."""

    def steps() -> Steps[dict[str, str]]:
        about = {"tenant": tenant}
        (rows,) = yield [Statement("SELECT id, state FROM watched WHERE tenant = :tenant AND kind = 'campaign'", about)]
        return {name: json.loads(state)["seen"]["status"] for name, state in rows if state}

    return await database.read(steps)
