"""Run by Alembic: carries the steps out on the connection it was given, within the transaction open there."""

from alembic import context

from app.storage.database.event_schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
