"""The tables of events and webhooks, beside those of `schema`; `metadata` has all of them."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, Table, Text

from app.storage.database.schema import metadata

__all__ = ["metadata"]

# How far each tenant's log of events has got, until when anybody wants events, and how its account is watched: when the
# platform may be asked next, and by which process it is being asked. Times are seconds, as in all tables below.
event_streams = Table(
    "event_streams",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("last_number", BigInteger, nullable=False),
    Column("wanted_until", Double, nullable=False),
    # Between two requests.
    Column("spacing", Double, nullable=False),
    Column("ready_at", Double, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("holder", Text),
)

# Numbers of a tenant's events grow in the order in which they are committed.
events = Table(
    "events",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    # What must be told of in order.
    Column("resource", Text, nullable=False),
    Column("occurred_at", Double, nullable=False),
    Column("data", Text, nullable=False),
    Column("previous", Text),
)
Index("events_occurred_at_idx", events.c.occurred_at)

# What is watched, as it was last seen; without a state it has yet to be seen, without a time it has come to rest.
watched = Table(
    "watched",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("state", Text),
    Column("due_at", Double),
    # In a row without a change.
    Column("looks", Integer, nullable=False),
    # How often it was asked to be looked at soon.
    Column("nudges", Integer, nullable=False),
    Column("updated_at", Double, nullable=False),
)
Index("watched_due_at_idx", watched.c.tenant, watched.c.due_at)
Index("watched_updated_at_idx", watched.c.updated_at)

webhooks = Table(
    "webhooks",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    # `|campaign.created|campaign.held|`, or `|*|`.
    Column("types", Text, nullable=False),
    Column("description", Text),
    # Encrypted like tenants' passwords.
    Column("secret", LargeBinary, nullable=False),
    Column("previous_secret", LargeBinary),
    Column("previous_until", Double),
    Column("data_key", LargeBinary, nullable=False),
    Column("master_key", Text, nullable=False),
    Column("enabled", Integer, nullable=False),
    Column("disabled_reason", Text),
    Column("failing_since", Double),
    # In a row; for how long nothing else is tried.
    Column("failures", Integer, nullable=False),
    Column("retry_at", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)

# An event on its way to a webhook, or delivered, or given up.
deliveries = Table(
    "deliveries",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("webhook", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("resource", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    # The last ones, as JSON.
    Column("attempts", Text, nullable=False),
    Column("due_at", Double),
    Column("holder", Text),
    Column("created_at", Double, nullable=False),
)
Index("deliveries_due_at_idx", deliveries.c.due_at)
Index("deliveries_resource_idx", deliveries.c.tenant, deliveries.c.webhook, deliveries.c.resource, deliveries.c.number)
Index("deliveries_created_at_idx", deliveries.c.created_at)
