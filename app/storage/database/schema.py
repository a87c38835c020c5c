"""The tables, as the newest migration leaves them; those of events are in `event_schema`."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData(naming_convention={"pk": "%(table_name)s_pkey", "ix": "%(table_name)s_%(column_0_N_name)s_idx"})


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, in UTC; SQLite, which keeps no zone, included."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Turn an aware time into UTC; raises `ValueError` where the time is not aware."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Turn what the database holds into an aware time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


sends = Table(
    "sends",
    metadata,
    # Clocks of replicas differ; this tells which of two attempts came later.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("fingerprint", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("reference", Text),
    Column("detail", Text),
    Column("request_id", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # The process that was sending it, as `leases` has it.
    Column("holder", Text),
    # Whose request it was.
    Column("key_id", Text),
)
Index("sends_id_key", sends.c.id, unique=True)
Index(
    "sends_idempotency_key_key",
    sends.c.tenant,
    sends.c.idempotency_key,
    sends.c.operation,
    unique=True,
    # PostgreSQL's has the same condition. To say so here too would load what speaks to it, 2 MB, for everybody; it is
    # only ever made by the migration.
    sqlite_where=sends.c.state != "refused",
)
Index("sends_reference_key", sends.c.tenant, sends.c.operation, sends.c.reference, unique=True)
Index("sends_fingerprint_idx", sends.c.tenant, sends.c.operation, sends.c.fingerprint, sends.c.created_at)
Index("sends_state_idx", sends.c.tenant, sends.c.operation, sends.c.state, sends.c.created_at)
Index("sends_created_at_idx", sends.c.created_at)
Index("sends_key_idx", sends.c.tenant, sends.c.idempotency_key, sends.c.number)

# One row for each key of the last day. It has a status once the request has been answered; its times are seconds.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("head", Text, nullable=False),
    Column("body", Text),
    Column("request_id", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("resumable", Integer, nullable=False),
    Column("scopes", Text),
    Column("status", Integer),
    # Encrypted; none where there is no answer yet, or it is too large or too old to be kept.
    Column("answer", LargeBinary),
    Column("size", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
)
Index("idempotency_keys_expires_at_idx", idempotency_keys.c.expires_at)
Index(
    "idempotency_keys_kept_idx",
    idempotency_keys.c.tenant,
    idempotency_keys.c.created_at,
    sqlite_where=idempotency_keys.c.size > 0,
)

# Processes that live, and what they hold alone.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
)
Index("leases_expires_at_idx", leases.c.expires_at)

# Tickets of preflights; expired ones are kept for a while, to be told apart from unknown ones. Times are seconds.
preflight_tickets = Table(
    "preflight_tickets",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    # Of what it allows to send.
    Column("digest", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
    # Of the request that used it.
    Column("request_id", Text),
)
Index("preflight_tickets_expires_at_idx", preflight_tickets.c.expires_at)

# Who made and who last changed campaigns, as two-person rules count. The version grows with changes and releases.
campaign_authors = Table(
    "campaign_authors",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("author", Text),
    Column("editor", Text),
    # Whether it is as a preflight found it.
    Column("preflighted", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", Double, nullable=False),
)

tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("role", Text, nullable=False),
    Column("upstream", JSON, nullable=False),
    Column("password", LargeBinary, nullable=False),
    Column("staged", JSON(none_as_null=True)),
    Column("staged_password", LargeBinary),
    Column("smtp", JSON(none_as_null=True)),
    Column("smtp_password", LargeBinary),
    Column("limits", JSON, nullable=False),
    Column("sends", JSON(none_as_null=True)),
    Column("events", JSON(none_as_null=True)),
    Column("cache", JSON, nullable=False),
    # What the secrets are encrypted with, itself encrypted with the master key of this id.
    Column("data_key", LargeBinary, nullable=False),
    Column("master_key", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
Index("tenants_master_key_idx", tenants.c.master_key, tenants.c.id)

api_keys = Table(
    "api_keys",
    metadata,
    Column("tenant", Text, ForeignKey("tenants.id", name="api_keys_tenant_fkey"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("prefix", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("requests_per_minute", Integer),
    Column("expires_at", UtcDateTime),
    Column("networks", JSON, nullable=False),
    Column("subject", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)
Index("api_keys_sha256_key", api_keys.c.sha256, unique=True)

# Requests by key and by day, in UTC.
key_usage = Table(
    "key_usage",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
)
Index("key_usage_day_idx", key_usage.c.day)

# The number of each tenant's last change. Numbers only grow, so that whoever knows all up to one asks for those above;
# deleted tenants stay here.
tenant_changes = Table(
    "tenant_changes",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
Index("tenant_changes_number_key", tenant_changes.c.number, unique=True)

# The ids of the master keys that data keys are encrypted with.
master_keys = Table(
    "master_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
)
