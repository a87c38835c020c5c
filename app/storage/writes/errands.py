"""Transactions that must come to their end: whoever waits may leave, and what fails is tried again."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from app.errors import DatabaseError
from app.storage.database.database import Database
from app.storage.database.statements import T, Work

log = structlog.get_logger(__name__)

_RETRIES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0, 60.0)
"""Seconds between the attempts to write what could not be written; a minute is longer than most restarts."""
_PATIENCE = 5.0


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
