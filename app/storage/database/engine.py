"""SQLAlchemy's engines, for migrations and for tenants."""

import math

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.storage.database.urls import is_sqlite

READS_ONLY = "reads_only"
"""The execution option of a connection whose transactions change nothing."""
_CONNECTIONS = 5
_RECYCLE_SECONDS = 1800


def make_engine(url: URL, *, timeout: float) -> AsyncEngine:
    """Return an engine that connects when it is first used, and waits so many seconds for a connection or a lock."""
    return _sqlite_engine(url, timeout) if is_sqlite(url) else _postgres_engine(url, timeout)


def _sqlite_engine(url: URL, timeout: float) -> AsyncEngine:
    # One connection: transactions of this process then queue up fairly instead of polling for the file's lock.
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        pool_timeout=timeout,
        connect_args={"timeout": timeout, "isolation_level": None},
    )
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails if another process wrote in between; one that takes the
    # file's write lock at once waits for it.
    mode = "DEFERRED" if connection.get_execution_options().get(READS_ONLY) else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")


def _postgres_engine(url: URL, timeout: float) -> AsyncEngine:
    return create_async_engine(
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
