"""Making a new SQLite file, without loading what carries migrations out."""

import structlog
from sqlalchemy import Connection, inspect, text

from app.storage.database.revisions import VERSION_TABLE, newest_revision
from app.storage.database.schema import metadata

log = structlog.get_logger(__name__)


def create_if_new(connection: Connection) -> bool:
    """Make all tables in an SQLite file that has none; returns whether it did.

    PostgreSQL's databases are made by the migrations, from the first one on.

    Args:
        connection: one with a transaction that writes.
    """
    if connection.dialect.name != "sqlite" or inspect(connection).get_table_names():
        return False
    metadata.create_all(connection, checkfirst=False)
    # As Alembic makes it, which finds out here what a later release has to change.
    connection.execute(
        text(
            f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    )
    newest = {"step": newest_revision()}
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} (version_num) VALUES (:step)"), newest)  # noqa: S608 - a constant
    log.info("database_made", **newest)
    return True
