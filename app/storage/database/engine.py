"""SQLAlchemy's engines, for migrations and for tenants."""

import math
from pathlib import Path

from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.errors import DatabaseError
from app.storage.database.statements import serialize_sync

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


FAILURES = (SQLAlchemyError, OSError, TimeoutError)
"""What using a database raises when it cannot be used, whatever the reason."""


def describe(failure: Exception, url: URL) -> str:
    """Return a failure's reason in one line, without the password of `url`."""
    if isinstance(failure, TimeoutError):
        return "it does not answer in time"
    cause = failure.orig if isinstance(failure, DBAPIError) else failure
    reason = " ".join(str(cause).split()) or type(cause).__name__
    return reason.replace(url.password, "***") if url.password else reason


_POSTGRES = "postgresql+psycopg_async"
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": _POSTGRES, "postgres": _POSTGRES}


def parse_url(text: str) -> URL:
    """Read a database URL.

    Args:
        text: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`, which may name a folder of Unix
            sockets by `?host=`.

    Raises:
        DatabaseError: it is none of these.
    """
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise DatabaseError("The database URL cannot be read.") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise DatabaseError("The database URL must begin with sqlite:/// or postgresql://.")
    if is_sqlite(url):
        _check_file(url)
    return url.set(drivername=driver)


def is_sqlite(url: URL) -> bool:
    """Tell whether a URL names an SQLite file."""
    return url.get_backend_name() == "sqlite"


def file_of(url: URL) -> Path:
    """Return the file that an SQLite URL names."""
    return Path(url.database or "")


def _check_file(url: URL) -> None:
    if url.host or url.query or not url.database or url.database.startswith((":", "file:")):
        raise DatabaseError("An SQLite URL names a file: sqlite:///relative.db or sqlite:////absolute.db.")


_STEPS = Path(__file__).parent / "migrations" / "versions"


def upgrade(connection: Connection) -> None:
    """Carry out the migrations that a database lacks, within the transaction open on `connection`.

    Processes that start at the same time do it one after another.

    Raises:
        DatabaseError: a newer version of the gateway has changed the database already.
    """
    serialize_sync(connection, ("migrations",))
    found = _present(connection)
    known = {step.name.partition("_")[0] for step in _STEPS.glob("[0-9]*.py")}
    if found == {max(known)}:
        return
    if newer := found - known:
        names = ", ".join(sorted(newer))
        raise DatabaseError(f"The database was changed by a newer version of the gateway: step {names} is not known.")
    from alembic import command  # noqa: PLC0415 - it takes 10 MB, and most starts have no use for it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "app.storage.database:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _present(connection: Connection) -> set[str]:
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
