"""Tenants and their API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Make the tables and their indexes."""
    _make_tenants()
    _make_keys()
    op.create_table(
        "tenant_changes",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="tenant_changes_pkey"),
    )
    op.create_index("tenant_changes_number_key", "tenant_changes", ["number"], unique=True)
    op.create_table(
        "master_keys",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="master_keys_pkey"),
    )


def _make_tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("upstream", sa.JSON, nullable=False),
        sa.Column("password", sa.LargeBinary, nullable=False),
        sa.Column("staged", sa.JSON),
        sa.Column("staged_password", sa.LargeBinary),
        sa.Column("smtp", sa.JSON),
        sa.Column("smtp_password", sa.LargeBinary),
        sa.Column("limits", sa.JSON, nullable=False),
        sa.Column("cache", sa.JSON, nullable=False),
        sa.Column("data_key", sa.LargeBinary, nullable=False),
        sa.Column("master_key", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="tenants_pkey"),
    )
    op.create_index("tenants_master_key_idx", "tenants", ["master_key", "id"])


def _make_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("networks", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="api_keys_tenant_fkey"),
        sa.PrimaryKeyConstraint("tenant", "id", name="api_keys_pkey"),
    )
    op.create_index("api_keys_sha256_key", "api_keys", ["sha256"], unique=True)
