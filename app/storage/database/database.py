"""The one way to the database."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.errors import DatabaseError
from app.storage.database.engine import (
    FAILURES,
    READS_ONLY,
    describe,
    file_of,
    is_sqlite,
    make_engine,
    parse_url,
    upgrade,
)
from app.storage.database.sqlite import SqliteThread, prepare_file
from app.storage.database.statements import Statement, Steps, T, Work

if TYPE_CHECKING:
    from app.storage.database.postgres import PostgresPool

log = structlog.get_logger(__name__)

_CONSEQUENCE = "new tenants and keys are unknown, and nothing is sent until it is back"

EngineWork = Callable[[AsyncConnection], Coroutine[Any, Any, T]]
Quick: TypeAlias = "SqliteThread | PostgresPool"


class Database:
    """A database that several processes may use at once; its repr shows no password.

    `write` and `read` are quick and made for what every request needs; `run` and `transaction` speak SQLAlchemy, for
    tenants. Transactions must not be opened within another, and only one `Database` of a process may be starting at
    a time.
    """

    def __init__(
        self, url: str, *, timeout: float = 5.0, check_timeout: float = 2.0, start_timeout: float = 60.0
    ) -> None:
        """Read the URL; nothing is opened yet.

        Args:
            start_timeout: seconds the start may take, migrations and waiting for those of others included.

        Raises:
            DatabaseError: the URL cannot be used.
        """
        self._url = parse_url(url)
        self._timeout = timeout
        self._check_timeout = check_timeout
        self._start_timeout = start_timeout
        self._engine: AsyncEngine | None = None
        self._writer, self._reader = self._quick()
        self._at_work: set[asyncio.Task[Any]] = set()
        self._failing = False
        self._lost_at = 0.0
        self._observe: Callable[[str, float, bool], None] = lambda _kind, _seconds, _done: None

    def __repr__(self) -> str:
        return f"Database({self._url.render_as_string(hide_password=True)!r})"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the database and bring it to the present schema; leaving closes it once nothing is under way.

        Raises:
            DatabaseError: it cannot be opened, made or migrated, or is newer than the code.
        """
        engine = make_engine(self._url, timeout=self._timeout)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            await self._start(engine)
            for part in dict.fromkeys((self._writer, self._reader)):
                part.start()
                stack.push_async_callback(part.stop)
            self._engine = engine
            try:
                yield
            finally:
                while self._at_work:
                    await asyncio.wait(self._at_work)
                self._engine = None

    def observe_with(self, observe: Callable[[str, float, bool], None]) -> None:
        """Have each transaction's kind and seconds told, and whether it could be carried out."""
        self._observe = observe

    async def write(self, work: Work[T]) -> T:
        """Carry out a transaction; once begun it is carried to its end even if the caller is cancelled.

        Raises:
            DatabaseError: the database cannot be used, or did not answer in time. Whether what was to be committed is
                there is then not known.
        """
        return await self._carried_out(self._writer, work, self._timeout, "write")

    async def read(self, work: Work[T]) -> T:
        """Carry out a transaction that changes nothing, and so waits for no other.

        Raises:
            DatabaseError: the database cannot be used, or did not answer in time.
        """
        return await self._carried_out(self._reader, work, self._timeout, "read")

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction; leaving commits it, leaving with an exception undoes it.

        Raises:
            DatabaseError: as `write`.
        """
        return self._opened(self._timeout, reads_only=False)

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that changes nothing, and so waits for no other.

        Raises:
            DatabaseError: as `read`.
        """
        return self._opened(self._timeout, reads_only=True)

    async def run(self, work: EngineWork[T], *, reads_only: bool = False) -> T:
        """Do something in a transaction, carried to its end even if the caller is cancelled.

        Raises:
            DatabaseError: as `write`.
        """
        task = asyncio.create_task(self._do(work, reads_only=reads_only))
        self._at_work.add(task)
        task.add_done_callback(self._forget)
        # A driver whose server has fallen silent takes seconds to give up; nobody should wait for that.
        done, _ = await asyncio.wait({task}, timeout=self._timeout)
        if not done:
            raise self._unusable(TimeoutError())
        return task.result()

    async def check(self) -> None:
        """See whether the database answers and, if it has refused to write, whether it writes again.

        Raises:
            DatabaseError: it does not, or not in time.
        """
        if self._failing:
            await self._carried_out(self._writer, _touch, self._check_timeout, "write")
        await self._carried_out(self._reader, _ask, self._check_timeout, "read")

    async def _start(self, engine: AsyncEngine) -> None:
        try:
            async with asyncio.timeout(self._start_timeout):
                if is_sqlite(self._url):
                    await asyncio.to_thread(prepare_file, file_of(self._url), timeout=self._timeout)
                async with engine.begin() as connection:
                    await connection.run_sync(upgrade)
        except (*FAILURES, sqlite3.Error) as failure:
            raise DatabaseError(f"The database cannot be opened: {describe(failure, self._url)}.") from None

    def _quick(self) -> tuple[Quick, Quick]:
        if not is_sqlite(self._url):
            from app.storage.database.postgres import PostgresPool  # noqa: PLC0415 - the driver takes 9 MB

            pool = PostgresPool(self._url, timeout=self._timeout)
            return pool, pool
        path = file_of(self._url)
        writer, reader = (SqliteThread(path, timeout=self._timeout, writes=writes) for writes in (True, False))
        return writer, reader

    async def _carried_out(self, where: Quick, work: Work[T], seconds: float, kind: str) -> T:
        if self._engine is None:
            raise DatabaseError("The database is not open.")
        began = time.perf_counter()
        try:
            result = await where.run(work, seconds=seconds)
        except DatabaseError as failure:
            self._observe(kind, time.perf_counter() - began, False)
            error = self._unusable(failure)
            if not self._failing:
                self._lost_at = asyncio.get_running_loop().time()
                log.error("database_lost", reason=str(error), consequence=_CONSEQUENCE)
            self._failing = True
            raise error from None
        self._observe(kind, time.perf_counter() - began, True)
        # A database that only reads any more answers reads; that does not make it well.
        if self._failing and kind == "write":
            self._failing = False
            seconds = asyncio.get_running_loop().time() - self._lost_at
            log.warning("database_back", outage_seconds=round(seconds, 1))
        return result

    @asynccontextmanager
    async def _opened(self, seconds: float, *, reads_only: bool) -> AsyncIterator[AsyncConnection]:
        if self._engine is None:
            raise DatabaseError("The database is not open.")
        try:
            async with asyncio.timeout(seconds), self._engine.connect() as connection:
                await connection.execution_options(**{READS_ONLY: reads_only})
                async with connection.begin():
                    yield connection
        except FAILURES as failure:
            raise self._unusable(failure) from None

    async def _do(self, work: EngineWork[T], *, reads_only: bool) -> T:
        async with self._opened(self._timeout, reads_only=reads_only) as connection:
            return await work(connection)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._at_work.discard(task)
        # Asked for, so that a failure nobody waits for any more is not reported as overlooked.
        with suppress(asyncio.CancelledError):
            task.exception()

    def _unusable(self, failure: Exception) -> DatabaseError:
        return DatabaseError(f"The database cannot be used: {describe(failure, self._url)}.")


def _ask() -> Steps[None]:
    yield [Statement("SELECT 1")]


def _touch() -> Steps[None]:
    yield [
        Statement(
            "INSERT INTO leases (name, holder, expires_at) VALUES ('check', 'check', {now})"
            " ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at"
        )
    ]
