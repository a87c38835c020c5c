"""Bringing a database to the schema that the code expects."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from app.errors import DatabaseError
from app.storage.database.serializing import serialize_sync

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
