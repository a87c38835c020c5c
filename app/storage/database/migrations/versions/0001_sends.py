"""The journal of sends."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "sends",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="sends_pkey"),
    )
    op.create_index("sends_id_key", "sends", ["id"], unique=True)
    op.create_index(
        "sends_idempotency_key_key",
        "sends",
        ["tenant", "idempotency_key", "operation"],
        unique=True,
        sqlite_where=sa.text("state <> 'refused'"),
        postgresql_where=sa.text("state <> 'refused'"),
    )
    op.create_index("sends_reference_key", "sends", ["tenant", "operation", "reference"], unique=True)
    op.create_index("sends_fingerprint_idx", "sends", ["tenant", "operation", "fingerprint", "created_at"])
    op.create_index("sends_state_idx", "sends", ["tenant", "operation", "state", "created_at"])
    op.create_index("sends_created_at_idx", "sends", ["created_at"])
