"""Who lives, and what they hold alone: a process renews one lease while anything is in its hands."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from uuid import uuid4

import structlog

from app.errors import DatabaseError, StateUnavailable
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps

log = structlog.get_logger(__name__)

_FIRST_PAUSE, _GROWTH, _LONGEST_PAUSE = 0.01, 1.5, 0.25
_DAY = 86_400.0

_RENEW = (
    "INSERT INTO leases (name, holder, expires_at) VALUES (:name, :name, {now} + :seconds)"
    " ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at"
)
_TAKE = (
    "INSERT INTO leases (name, holder, expires_at) VALUES (:name, :holder, {now} + :seconds)"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at"
    " WHERE NOT EXISTS (SELECT 1 FROM leases AS process WHERE process.name = leases.holder"
    " AND process.expires_at > {now}) RETURNING 1"
)
_LET_GO = "DELETE FROM leases WHERE name = :name AND holder = :holder RETURNING 1"


class ProcessLease:
    """This process's sign of life, given while something is in its hands.

    What it holds passes to others some seconds after it has died or lost touch with the database.
    """

    def __init__(self, database: Database, *, seconds: float) -> None:
        self.holder = f"process/{uuid4().hex}"
        self._database = database
        self._seconds = seconds
        self._until = 0.0
        self._held: dict[str, tuple[asyncio.Lock, int]] = {}
        self._users = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether everybody else certainly takes this process for living."""
        return time.monotonic() < self._until

    def due(self) -> Statement | None:
        """Return the statement that renews the lease, if it is time; to be followed by `renewed`."""
        if self._until - time.monotonic() > self._seconds * 2 / 3:
            return None
        return Statement(_RENEW, {"name": self.holder, "seconds": self._seconds})

    def renewed(self, asked: float) -> None:
        """Note that a renewal asked for at that time, on the monotonic clock, is committed."""
        self._until = max(self._until, asked + self._seconds)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew the lease while the context is open."""
        self.keep()
        try:
            yield
        finally:
            self.let_go()

    def keep(self) -> None:
        """Renew the lease until `let_go` has been called as often."""
        self._users += 1
        if self._task is None:
            self._task = asyncio.create_task(self._renew())

    def let_go(self) -> None:
        """Need the lease no more."""
        self._users -= 1

    async def stop(self) -> None:
        """Renew it no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def holding(self, *names: str | int, wait: float) -> AsyncIterator["Holding"]:
        """Hold something alone while the context is open; others who want it wait.

        Raises:
            StateUnavailable: it was not to be had within `wait` seconds, or the database cannot be used.
        """
        name = "/".join(map(str, names))
        until = time.monotonic() + wait
        async with self.kept(), self._first(name, wait):
            await self._take(name, until)
            try:
                yield Holding(self)
            finally:
                # One that cannot be let go passes on once this process is gone.
                with suppress(DatabaseError):
                    await self._database.write(lambda: _one(Statement(_LET_GO, {"name": name, "holder": self.holder})))

    @asynccontextmanager
    async def _first(self, name: str, wait: float) -> AsyncIterator[None]:
        """Wait for others of this process; the first of them asks the database."""
        lock, wanted = self._held.get(name, (asyncio.Lock(), 0))
        self._held[name] = lock, wanted + 1
        try:
            try:
                async with asyncio.timeout(wait):
                    await lock.acquire()
            except TimeoutError:
                raise _busy() from None
            try:
                yield
            finally:
                lock.release()
        finally:
            lock, wanted = self._held.pop(name)
            if wanted > 1:
                self._held[name] = lock, wanted - 1

    async def _take(self, name: str, until: float) -> None:
        pause = _FIRST_PAUSE
        while not await self._taken(name):
            if time.monotonic() >= until:
                raise _busy()
            await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    async def _taken(self, name: str) -> bool:
        asked, beat = time.monotonic(), self.due()
        take = Statement(_TAKE, {"name": name, "holder": self.holder, "seconds": _DAY})
        try:
            taken = await self._database.write(lambda: _one(take, beat))
        except DatabaseError:
            raise _busy() from None
        if beat is not None:
            self.renewed(asked)
        return taken

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / 3)
            if self._users and (beat := self.due()) is not None:
                asked = time.monotonic()
                # It is tried again soon, and missed only by those who wait for this process.
                with suppress(DatabaseError):
                    await self._database.write(partial(_one, beat))
                    self.renewed(asked)


class Holding:
    """Something that is held alone."""

    def __init__(self, process: ProcessLease) -> None:
        self._process = process

    def ensure(self) -> None:
        """See that it is certainly still held, right before doing what it protects.

        Raises:
            StateUnavailable: it may be somebody else's by now.
        """
        if not self._process.alive:
            raise _busy()


def expired(most: int) -> Steps[int]:
    """Delete some of the leases that ended; return how many."""
    sql = "DELETE FROM leases WHERE name IN (SELECT name FROM leases WHERE expires_at <= {now} LIMIT :most)"
    (gone,) = yield [Statement(f"{sql} RETURNING 1", {"most": most})]
    return len(gone)


def _one(*statements: Statement | None) -> Steps[bool]:
    rows, *_ = yield statements
    return bool(rows)


def _busy() -> StateUnavailable:
    return StateUnavailable(
        "Another change of the same resource is under way, or the database cannot be used. Nothing was sent.",
        headers={"Retry-After": "2"},
    )
