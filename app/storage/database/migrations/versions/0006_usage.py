"""Usage: requests by key and day, and whose request a send was."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    """Add them; of earlier sends the key is not known."""
    op.add_column("sends", sa.Column("key_id", sa.Text))
    op.create_table(
        "key_usage",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "day", "key_id", name="key_usage_pkey"),
    )
    op.create_index("key_usage_day_idx", "key_usage", ["day"])
