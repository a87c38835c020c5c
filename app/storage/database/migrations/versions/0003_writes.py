"""Idempotency keys with their answers, and leases, beside the journal of sends."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Make the tables, and let the journal say which process an attempt is in the hands of."""
    op.add_column("sends", sa.Column("holder", sa.Text))
    # The latest attempt under a key, refused ones included, which the unique index leaves out.
    op.create_index("sends_key_idx", "sends", ["tenant", "idempotency_key", "number"])
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("body", sa.Text),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("resumable", sa.Integer, nullable=False),
        sa.Column("scopes", sa.Text),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", name="idempotency_keys_pkey"),
    )
    op.create_index("idempotency_keys_expires_at_idx", "idempotency_keys", ["expires_at"])
    op.create_index(
        "idempotency_keys_kept_idx",
        "idempotency_keys",
        ["tenant", "created_at"],
        sqlite_where=sa.text("size > 0"),
        postgresql_where=sa.text("size > 0"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="leases_pkey"),
    )
    op.create_index("leases_expires_at_idx", "leases", ["expires_at"])
