"""The one way to the database."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from app.errors import DatabaseError
from app.storage.database.connections import AsyncConnection, AsyncEngine
from app.storage.database.creating import create_if_new
from app.storage.database.engine import READS_ONLY, make_engine, prepare_file
from app.storage.database.errors import FAILURES, describe
from app.storage.database.revisions import is_up_to_date
from app.storage.database.urls import file_of, is_sqlite, parse_url

T = TypeVar("T")
Work = Callable[[AsyncConnection], Coroutine[Any, Any, T]]


def _bring_up_to_date(connection: Connection) -> None:
    if is_up_to_date(connection) or create_if_new(connection):
        return
    from app.storage.database.migrating import upgrade  # noqa: PLC0415 - loading it takes a tenth of a second and 12 MB

    upgrade(connection)


class Database:
    """A database that several processes may use at once; its repr shows no password.

    Transactions must not be opened within another, and only one `Database` of a process may be starting at a time.
    """

    def __init__(
        self, url: str, *, timeout: float = 5.0, check_timeout: float = 2.0, start_timeout: float = 60.0
    ) -> None:
        """Read the URL; nothing is opened yet.

        Args:
            url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`.
            timeout: seconds a transaction may take, from waiting for a connection to its end.
            check_timeout: seconds `check` may take.
            start_timeout: seconds the start may take, migrations and waiting for those of others included.

        Raises:
            DatabaseError: the URL cannot be used.
        """
        self._url = parse_url(url)
        self._timeout = timeout
        self._check_timeout = check_timeout
        self._start_timeout = start_timeout
        self._engine: AsyncEngine | None = None
        self._at_work: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"Database({self._url.render_as_string(hide_password=True)!r})"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the database and bring it to the present schema; leaving closes it once `run` has nothing under way.

        Raises:
            DatabaseError: it cannot be opened, made or migrated, or is newer than the code.
        """
        engine = make_engine(self._url, timeout=self._timeout)
        try:
            await self._start(engine)
            self._engine = engine
            yield
        finally:
            while self._at_work:
                await asyncio.wait(self._at_work)
            self._engine = None
            await engine.dispose()

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction; leaving commits it, leaving with an exception undoes it.

        Raises:
            DatabaseError: the database cannot be used, or did not answer in time. Whether what was to be committed is
                there is then not known.
        """
        return self._opened(self._timeout, reads_only=False)

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that changes nothing, and so waits for no other.

        Raises:
            DatabaseError: the database cannot be used, or did not answer in time.
        """
        return self._opened(self._timeout, reads_only=True)

    async def run(self, work: Work[T], *, reads_only: bool = False) -> T:
        """Do something in a transaction and return its result.

        Once begun it is carried to its end even if the caller is cancelled.

        Args:
            work: what to do; called with the connection.
            reads_only: whether it changes nothing.

        Raises:
            DatabaseError: as `transaction`.
        """
        return await self._carried_out(work, self._timeout, reads_only=reads_only)

    async def check(self) -> None:
        """See whether the database answers.

        Raises:
            DatabaseError: it does not, or not in time.
        """
        await self._carried_out(_ask, self._check_timeout, reads_only=True)

    async def _start(self, engine: AsyncEngine) -> None:
        try:
            async with asyncio.timeout(self._start_timeout):
                if is_sqlite(self._url):
                    await asyncio.to_thread(prepare_file, file_of(self._url), timeout=self._timeout)
                async with engine.transaction() as connection:
                    await connection.run_sync(_bring_up_to_date)
        except (*FAILURES, sqlite3.Error) as failure:
            raise DatabaseError(f"The database cannot be opened: {describe(failure, self._url)}.") from None

    @asynccontextmanager
    async def _opened(self, seconds: float, *, reads_only: bool) -> AsyncIterator[AsyncConnection]:
        if self._engine is None:
            raise DatabaseError("The database is not open.")
        try:
            reads = {READS_ONLY: reads_only}
            async with asyncio.timeout(seconds), self._engine.transaction(reads) as connection:
                yield connection
        except FAILURES as failure:
            raise self._unusable(failure) from None

    async def _carried_out(self, work: Work[T], seconds: float, *, reads_only: bool) -> T:
        task = asyncio.create_task(self._do(work, seconds, reads_only=reads_only))
        self._at_work.add(task)
        task.add_done_callback(self._forget)
        # A driver whose server has fallen silent takes seconds to give up; nobody should wait for that.
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise self._unusable(TimeoutError())
        return task.result()

    async def _do(self, work: Work[T], seconds: float, *, reads_only: bool) -> T:
        async with self._opened(seconds, reads_only=reads_only) as connection:
            return await work(connection)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._at_work.discard(task)
        # Asked for, so that a failure nobody waits for any more is not reported as overlooked.
        with suppress(asyncio.CancelledError):
            task.exception()

    def _unusable(self, failure: Exception) -> DatabaseError:
        return DatabaseError(f"The database cannot be used: {describe(failure, self._url)}.")


async def _ask(connection: AsyncConnection) -> None:
    await connection.execute(select(1))
