"""Making transactions that concern the same thing run one after another."""

from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.storage.database.statements import lock_number

Name = tuple[str, ...]


async def serialize(connection: AsyncConnection, *names: Name) -> None:
    """Wait until no other transaction holds one of `names`, and hold them until this one ends.

    What others have written by then is seen by the next statement. SQLite has nothing to wait for: whoever writes
    there is alone.

    Args:
        connection: one with a transaction that writes.
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
