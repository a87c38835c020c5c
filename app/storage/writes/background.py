"""What happens beside requests: transactions that must come to their end, and forgetting what is old in small steps."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from app.errors import DatabaseError
from app.storage.database.database import Database
from app.storage.database.statements import T, Work
from app.storage.writes import approvals, attempts, keys, leases
from app.tasks import beside

log = structlog.get_logger(__name__)

_RETRIES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0, 60.0)
"""Seconds between the attempts to write what could not be written; a minute is longer than most restarts."""
_PATIENCE = 5.0
_STEP = 500
_PAUSE = 0.05
_SLACK = 0.1
"""By which share of its bounds a tenant may exceed them before it is looked at."""


class Errands:
    """Keeps what is under way until it is done."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tasks: set[asyncio.Task[Any]] = set()

    async def finish(self) -> None:
        """Wait a few seconds for what is under way, and give up the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)
        for task in self._tasks:
            task.cancel()

    def start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Do something that nobody need wait for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finished(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something to its end even if the caller is cancelled."""
        return await asyncio.shield(self.start(work))

    async def written(self, work: Work[Any], name: str | None) -> bool:
        """As `write`, to its end even if the caller is cancelled."""
        return await self.finished(self.write(work, name))

    async def write(self, work: Work[Any], name: str | None) -> bool:
        """Carry out a transaction, and begin to try again if it fails; False only if its result is."""
        try:
            return await self._database.write(work) is not False
        except DatabaseError:
            log.error("journal_not_written", attempt=name)
            self.start(self.write_in_the_end(work))
            return True

    async def write_in_the_end(self, work: Work[Any]) -> None:
        """Try a transaction again and again, for some minutes."""
        for pause in _RETRIES:
            await asyncio.sleep(pause)
            try:
                await self._database.write(work)
            except DatabaseError:
                continue
            return


class Sweeper:
    """Forgets attempts, keys, answers and leases while it runs."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        journal_kept: timedelta,
        interval: float,
        most_answers: int,
        most_bytes: int,
    ) -> None:
        self._database = database
        self._now = now
        self._journal_kept = journal_kept
        self._interval = interval
        self._most_answers = most_answers
        self._most_bytes = most_bytes
        self._added: dict[str, tuple[int, int]] = {}
        self._full: set[str] = set()
        self._wake = asyncio.Event()

    def added(self, tenant: str, size: int) -> None:
        """Note that an answer of a tenant has been kept."""
        count, total = self._added.get(tenant, (0, 0))
        count, total = count + 1, total + size
        self._added[tenant] = count, total
        if count > self._most_answers * _SLACK or total > self._most_bytes * _SLACK:
            self._full.add(tenant)
            self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep while the context is open."""
        self._wake = asyncio.Event()  # of the loop that runs now
        async with beside(self._sweep()):
            yield

    async def _sweep(self) -> None:
        while True:
            try:
                await self._forget_old()
                while self._full:
                    await self._bound(self._full.pop())
            except DatabaseError as error:
                log.warning("old_writes_not_forgotten", reason=str(error))
            except Exception:
                log.exception("old_writes_not_forgotten")
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()

    async def _forget_old(self) -> None:
        before = self._now() - self._journal_kept
        await self._all(lambda: keys.expiring(_STEP))
        await self._all(lambda: attempts.forgetting(before, _STEP))
        await self._all(lambda: leases.expired(_STEP))
        await self._all(lambda: approvals.forgetting_tickets(_STEP))

    async def _bound(self, tenant: str) -> None:
        self._added.pop(tenant, None)
        while True:
            count, total = await self._database.read(lambda: keys.kept_of(tenant))
            excess = count - self._most_answers
            if total > self._most_bytes:
                excess = max(excess, int(count * (1 - self._most_bytes / total)) + 1)
            if excess <= 0:
                return
            await self._database.write(partial(keys.dropping, tenant, min(excess, _STEP)))
            await asyncio.sleep(_PAUSE)

    async def _all(self, some: Work[int]) -> None:
        while await self._database.write(some) == _STEP:  # noqa: ASYNC110 - others are let in between
            await asyncio.sleep(_PAUSE)
