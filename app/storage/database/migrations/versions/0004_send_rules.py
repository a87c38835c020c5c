"""What tenants demand before a campaign goes out: tickets of preflights, who made a campaign, and whose a key is."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Add the columns and tables; without a value a tenant has the defaults, and a key is a person of its own."""
    op.add_column("tenants", sa.Column("sends", sa.JSON))
    op.add_column("tenants", sa.Column("events", sa.JSON))
    op.add_column("api_keys", sa.Column("subject", sa.Text))
    op.create_table(
        "preflight_tickets",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double),
        sa.Column("request_id", sa.Text),
        sa.PrimaryKeyConstraint("sha256", name="preflight_tickets_pkey"),
    )
    op.create_index("preflight_tickets_expires_at_idx", "preflight_tickets", ["expires_at"])
    op.create_table(
        "campaign_authors",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("campaign_id", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("editor", sa.Text),
        sa.Column("preflighted", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "campaign_id", name="campaign_authors_pkey"),
    )
