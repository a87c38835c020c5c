"""Transactions written once for both kinds of databases: generators that yield statements and are sent their rows.

SQL is that part which SQLite and PostgreSQL share, with parameters as `:name` and the database's clock as `{now}`,
in seconds since 1970. Changes tell what they have changed by `RETURNING`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
Rows = list[tuple[Any, ...]]


class Statement(NamedTuple):
    """One statement; one that is `postgres_only` brings no rows elsewhere."""

    sql: str
    parameters: Mapping[str, Any] = {}
    postgres_only: bool = False


Steps = Generator[Sequence[Statement | None], list[Rows], T]
"""The statements of a transaction, some at a time; `None` stands for one that is not needed and brings no rows."""
Work = Callable[[], Steps[T]]
"""Begins a transaction's steps; it may be called again if a transaction must be repeated."""

_PARAMETER = re.compile(r"(?<!:):(\w+)")
_SQLITE_NOW = "((julianday('now') - 2440587.5) * 86400.0)"
_POSTGRES_NOW = "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


@cache
def for_sqlite(sql: str) -> str:
    """Return a statement's text as SQLite reads it."""
    return sql.replace("{now}", _SQLITE_NOW)


@cache
def for_postgres(sql: str) -> str:
    """Return a statement's text as psycopg reads it."""
    return _PARAMETER.sub(r"%(\1)s", sql).replace("{now}", _POSTGRES_NOW)


def lock(*names: str) -> Statement:
    """Wait until no other transaction holds a name, and hold it until this one ends.

    What others have written by then is seen by the next statement. SQLite has nothing to wait for: whoever writes
    there is alone. A transaction that takes several locks takes them in one order for everybody.
    """
    return Statement("SELECT pg_advisory_xact_lock(:number)", {"number": lock_number(*names)}, postgres_only=True)


def lock_number(*names: str) -> int:
    """Return the number by which PostgreSQL knows a lock."""
    digest = hashlib.blake2b(json.dumps(names).encode(), digest_size=8, person=b"umail-gateway").digest()
    return int.from_bytes(digest, signed=True)


Name = tuple[str, ...]


async def serialize(connection: AsyncConnection, *names: Name) -> None:
    """Wait until no other transaction holds one of `names`, and hold them until this one ends.

    What others have written by then is seen by the next statement. SQLite has nothing to wait for: whoever writes
    there is alone.

    Args:
        names: what the transaction is about; two transactions that share one exclude each other.
    """
    await connection.run_sync(serialize_sync, *names)


def serialize_sync(connection: Connection, *names: Name) -> None:
    """Do what `serialize` does, on a synchronous connection."""
    if connection.dialect.name == "sqlite":
        return
    # In one order for everybody, or two transactions could wait for each other.
    for number in sorted({lock_number(*name) for name in names}):
        connection.execute(select(func.pg_advisory_xact_lock(number)))
