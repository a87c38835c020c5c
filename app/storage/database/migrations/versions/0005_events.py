"""Events: their log, what is watched for them, webhooks and deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "event_streams",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("last_number", sa.BigInteger, nullable=False),
        sa.Column("wanted_until", sa.Double, nullable=False),
        sa.Column("spacing", sa.Double, nullable=False),
        sa.Column("ready_at", sa.Double, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text),
        sa.PrimaryKeyConstraint("tenant", name="event_streams_pkey"),
    )
    op.create_table(
        "events",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.Double, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("previous", sa.Text),
        sa.PrimaryKeyConstraint("tenant", "number", name="events_pkey"),
    )
    op.create_index("events_occurred_at_idx", "events", ["occurred_at"])
    op.create_table(
        "watched",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("state", sa.Text),
        sa.Column("due_at", sa.Double),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("nudges", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "id", name="watched_pkey"),
    )
    op.create_index("watched_due_at_idx", "watched", ["tenant", "due_at"])
    op.create_index("watched_updated_at_idx", "watched", ["updated_at"])
    op.create_table(
        "webhooks",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("types", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("previous_secret", sa.LargeBinary),
        sa.Column("previous_until", sa.Double),
        sa.Column("data_key", sa.LargeBinary, nullable=False),
        sa.Column("master_key", sa.Text, nullable=False),
        sa.Column("enabled", sa.Integer, nullable=False),
        sa.Column("disabled_reason", sa.Text),
        sa.Column("failing_since", sa.Double),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("retry_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="webhooks_pkey"),
    )
    op.create_table(
        "deliveries",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("webhook", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Text, nullable=False),
        sa.Column("due_at", sa.Double),
        sa.Column("holder", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "webhook", "number", name="deliveries_pkey"),
    )
    op.create_index("deliveries_due_at_idx", "deliveries", ["due_at"])
    op.create_index("deliveries_resource_idx", "deliveries", ["tenant", "webhook", "resource", "number"])
    op.create_index("deliveries_created_at_idx", "deliveries", ["created_at"])
