"""Bringing a database to the schema that the code expects."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.errors import DatabaseError
from app.storage.database.serializing import serialize_sync


def upgrade(connection: Connection) -> None:
    """Carry out the migrations that a database lacks, within the transaction open on `connection`.

    Processes that start at the same time do it one after another.

    Raises:
        DatabaseError: a newer version of the gateway has changed the database already.
    """
    serialize_sync(connection, ("migrations",))
    config = Config()
    config.set_main_option("script_location", "app.storage.database:migrations")
    config.attributes["connection"] = connection
    steps = ScriptDirectory.from_config(config)
    found = set(MigrationContext.configure(connection).get_current_heads())
    newer = found - {step.revision for step in steps.walk_revisions()}
    if newer:
        names = ", ".join(sorted(newer))
        raise DatabaseError(f"The database was changed by a newer version of the gateway: step {names} is not known.")
    if found != set(steps.get_heads()):
        command.upgrade(config, "head")
