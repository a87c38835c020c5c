"""Engines for the two kinds of databases."""

import math
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from app.storage.database.connections import AsyncEngine
from app.storage.database.urls import is_sqlite

READS_ONLY = "reads_only"
"""The execution option of a connection whose transactions change nothing."""
_CONNECTIONS = 10
_RECYCLE_SECONDS = 1800


def make_engine(url: URL, *, timeout: float) -> AsyncEngine:
    """Return an engine that connects when it is first used.

    Args:
        url: as `parse_url` returns it.
        timeout: seconds to wait for a connection and, with SQLite, for another process's transaction.
    """
    return _sqlite_engine(url, timeout) if is_sqlite(url) else _postgres_engine(url, timeout)


def prepare_file(path: Path, *, timeout: float) -> None:
    """Make an SQLite file that only its owner reads, and let readers and the writer work side by side (WAL).

    Args:
        path: the file; there already or not.
        timeout: seconds to wait for another process that does the same.

    Raises:
        OSError: the file cannot be made.
        sqlite3.Error: it cannot be used.
    """
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, timeout=timeout, isolation_level=None)) as connection:
        # Changing the journal of a file takes a lock that does not wait for others; a write transaction does.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


def _sqlite_engine(url: URL, timeout: float) -> AsyncEngine:
    # One connection: transactions of this process then queue up fairly instead of polling for the file's lock.
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        pool_timeout=timeout,
        connect_args={"timeout": timeout, "isolation_level": None},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return AsyncEngine(engine)


def _configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    # WAL alone may lose the last transactions when the power fails.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails if another process wrote in between; one that takes the
    # file's write lock at once waits for it.
    mode = "DEFERRED" if connection.get_execution_options().get(READS_ONLY) else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")


def _postgres_engine(url: URL, timeout: float) -> AsyncEngine:
    engine = create_engine(
        url,
        hide_parameters=True,
        # Waiting for a lock and then looking sees what its last holder wrote only on this level.
        isolation_level="READ COMMITTED",
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=timeout,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_SECONDS,
        # Prepared statements do not outlive a transaction behind a pooler such as PgBouncer.
        connect_args={"connect_timeout": math.ceil(timeout), "prepare_threshold": None},
    )
    return AsyncEngine(engine)
