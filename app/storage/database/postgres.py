"""PostgreSQL by a few connections, each transaction in as few round trips as it has steps."""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from sqlalchemy.engine import URL

from app.errors import DatabaseError
from app.storage.database.statements import Rows, Statement, Steps, T, Work, for_postgres

Connection = AsyncConnection[tuple[Any, ...]]


class PostgresPool:
    """Carries out transactions, each on a connection of its own; what they yield together is pipelined."""

    def __init__(self, url: URL, *, timeout: float, connections: int = 8) -> None:
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._timeout = timeout
        self._connections = connections
        self._slots: asyncio.Semaphore
        self._idle: list[Connection] = []
        self._at_work: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to work, for the running event loop; connections are made when they are needed."""
        self._slots = asyncio.Semaphore(self._connections)

    async def stop(self) -> None:
        """End once everything asked for is done."""
        while self._at_work:
            await asyncio.wait(self._at_work)
        while self._idle:
            await self._idle.pop().close()

    async def run(self, work: Work[T], *, seconds: float) -> T:
        """Carry out a transaction; once begun it is carried to its end even if the caller is cancelled.

        Raises:
            DatabaseError: it failed, or was not done in time; whether it is done later is then not known.
        """
        task = asyncio.create_task(self._carried_out(work, seconds))
        self._at_work.add(task)
        task.add_done_callback(self._forget)
        # A driver whose server has fallen silent takes seconds to give up; nobody should wait for that.
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise DatabaseError("It does not answer in time")
        return task.result()

    async def _carried_out(self, work: Work[T], seconds: float) -> T:
        try:
            async with asyncio.timeout(seconds), self._slots:
                return await self._on_a_connection(work)
        except (psycopg.Error, OSError) as failure:
            raise DatabaseError(" ".join(str(failure).split()) or type(failure).__name__) from None
        except TimeoutError:
            raise DatabaseError("It does not answer in time") from None

    async def _on_a_connection(self, work: Work[T]) -> T:
        while self._idle:
            transaction = _Transaction(self._idle.pop())
            try:
                return await self._kept(transaction, work)
            except psycopg.OperationalError:
                # One that lay idle may have died unnoticed; what was not committed may be tried again.
                if transaction.committing or not transaction.connection.closed:
                    raise
        return await self._kept(_Transaction(await self._connected()), work)

    async def _kept(self, transaction: "_Transaction", work: Work[T]) -> T:
        try:
            result = await transaction.run(work())
        except BaseException as error:
            await transaction.undo(error)
            if not transaction.connection.closed:
                self._idle.append(transaction.connection)
            raise
        self._idle.append(transaction.connection)
        return result

    async def _connected(self) -> Connection:
        return await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=math.ceil(self._timeout),
            # Prepared statements do not outlive a transaction behind a pooler such as PgBouncer.
            prepare_threshold=None,
        )

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._at_work.discard(task)
        if not task.cancelled():
            task.exception()


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.committing = False
        self._begun = False

    async def run(self, steps: Steps[T]) -> T:
        rows: list[Rows] | None = None
        try:
            while True:
                statements = next(steps) if rows is None else steps.send(rows)
                rows = await self._pipelined(statements)
        except StopIteration as end:
            self.committing = True
            if self._begun:
                await self.connection.execute("COMMIT")
            result: T = end.value
            return result

    async def undo(self, error: BaseException) -> None:
        """Leave the connection as it was, or close it where that takes more than a word with a healthy server."""
        if self.committing or isinstance(error, asyncio.CancelledError):
            await self.connection.close()
        elif self._begun and not self.connection.closed:
            with suppress(psycopg.Error, OSError):
                await self.connection.execute("ROLLBACK")

    async def _pipelined(self, statements: Sequence[Statement | None]) -> list[Rows]:
        cursors: list[AsyncCursor[tuple[Any, ...]] | None] = []
        async with self.connection.pipeline():
            if not self._begun:
                # Waiting for a lock and then looking sees what its last holder wrote only on this level.
                await self.connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                self._begun = True
            cursors += [await self._sent(each) for each in statements]
        return [[] if each is None or each.description is None else await each.fetchall() for each in cursors]

    async def _sent(self, statement: Statement | None) -> AsyncCursor[tuple[Any, ...]] | None:
        if statement is None:
            return None
        return await self.connection.execute(for_postgres(statement.sql).encode(), statement.parameters or None)
