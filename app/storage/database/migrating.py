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
    config = _config(connection)
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    newer = set(MigrationContext.configure(connection).get_current_heads()) - known
    if newer:
        steps = ", ".join(sorted(newer))
        raise DatabaseError(f"The database was changed by a newer version of the gateway: step {steps} is not known.")
    command.upgrade(config, "head")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "app.storage.database:migrations")
    config.attributes["connection"] = connection
    return config
