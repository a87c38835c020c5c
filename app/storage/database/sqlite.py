"""SQLite by threads of its own: one that writes, whose transactions carry all that is waiting, and one that reads."""

import asyncio
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from app.errors import DatabaseError
from app.storage.database.statements import Rows, Statement, Steps, T, Work, for_sqlite

_MOST_AT_ONCE = 256
_STATEMENTS = 512


def prepare_file(path: Path, *, timeout: float) -> None:
    """Make an SQLite file that only its owner reads, in which readers and the writer work side by side (WAL)."""
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, timeout=timeout, isolation_level=None)) as connection:
        # Changing the journal of a file takes a lock that does not wait for others; a write transaction does.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


@dataclass(slots=True, eq=False)
class _Job:
    work: Work[Any]
    future: "asyncio.Future[Any]"
    abandoned: bool = False


class SqliteThread:
    """Carries out transactions on one connection; those that wait at the same time share one commit.

    A transaction that raises is undone alone; the others it shares the commit with are not affected.
    """

    def __init__(self, path: Path, *, timeout: float, writes: bool) -> None:
        self._path = path
        self._timeout = timeout
        self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED"
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Begin to work, for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._serve, name="sqlite", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End once everything asked for is done."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    async def run(self, work: Work[T], *, seconds: float) -> T:
        """Carry out a transaction; once begun it is carried to its end even if the caller is cancelled.

        Raises:
            DatabaseError: it failed, or was not done in time; whether it is done later is then not known.
        """
        job = _Job(work, self._loop.create_future())
        self._jobs.put(job)
        try:
            async with asyncio.timeout(seconds):
                result: T = await asyncio.shield(job.future)
        except TimeoutError:
            job.abandoned = True
            job.future.add_done_callback(_overlook)
            raise DatabaseError("It does not answer in time") from None
        except asyncio.CancelledError:
            job.future.add_done_callback(_overlook)
            raise
        return result

    def _serve(self) -> None:
        while jobs := self._waiting():
            ended = self._carry_out([each for each in jobs if not each.abandoned])
            self._loop.call_soon_threadsafe(_tell, ended)
        self._close()

    def _waiting(self) -> list[_Job]:
        """Return what is waiting, once there is something; nothing at the end."""
        job, jobs = self._jobs.get(), []
        with suppress(Empty):
            while job is not None:
                jobs.append(job)
                if len(jobs) == _MOST_AT_ONCE:
                    return jobs
                job = self._jobs.get_nowait()
            if jobs:
                self._jobs.put(None)
        return jobs

    def _carry_out(self, jobs: list[_Job]) -> list[tuple[_Job, Any, Exception | None]]:
        ended: list[tuple[_Job, Any, Exception | None]] = []
        try:
            connection = self._opened()
            connection.execute(self._begin)
            ended += [self._one(connection, job) for job in jobs]
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as failure:
            self._close()
            error = DatabaseError(str(failure) or type(failure).__name__)
            return [(job, None, error) for job in jobs]
        return ended

    def _one(self, connection: sqlite3.Connection, job: _Job) -> tuple[_Job, Any, Exception | None]:
        connection.execute("SAVEPOINT one")
        try:
            result = _steps(connection, job.work())
        except sqlite3.IntegrityError as error:
            reason: Exception = DatabaseError(str(error))
        except sqlite3.DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the one who asked
            reason = error
        else:
            connection.execute("RELEASE one")
            return job, result, None
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return job, None, reason

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self._path, self._timeout)
        return self._connection

    def _close(self) -> None:
        # A connection that has failed once may be in any state; a new one costs less than to find out.
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open a file that is there."""
    uri = f"{path.resolve().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        uri, uri=True, timeout=timeout, isolation_level=None, cached_statements=_STATEMENTS, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys=ON")
    # WAL alone may lose the last transactions when the power fails.
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _steps(connection: sqlite3.Connection, steps: Steps[T]) -> T:
    try:
        statements = next(steps)
        while True:
            statements = steps.send([_rows(connection, each) for each in statements])
    except StopIteration as end:
        result: T = end.value
        return result


def _rows(connection: sqlite3.Connection, statement: Statement | None) -> Rows:
    if statement is None or statement.postgres_only:
        return []
    values = {name: _storable(value) for name, value in statement.parameters.items()}
    return connection.execute(for_sqlite(statement.sql), values).fetchall()


def _storable(value: Any) -> Any:
    # As SQLAlchemy writes times, without a zone and in UTC.
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value


def _tell(ended: list[tuple[_Job, Any, Exception | None]]) -> None:
    for job, result, error in ended:
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)


def _overlook(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
