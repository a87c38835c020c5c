"""The tables, as the newest migration leaves them."""

from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Index, Integer, MetaData, Table, Text, TypeDecorator

metadata = MetaData(naming_convention={"pk": "%(table_name)s_pkey", "ix": "%(table_name)s_%(column_0_N_name)s_idx"})


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, in UTC; SQLite, which keeps no zone, included."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Turn an aware time into UTC.

        Raises:
            ValueError: the time is not aware.
        """
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
)
Index("sends_id_key", sends.c.id, unique=True)
Index(
    "sends_idempotency_key_key",
    sends.c.tenant,
    sends.c.idempotency_key,
    sends.c.operation,
    unique=True,
    sqlite_where=sends.c.state != "refused",
    postgresql_where=sends.c.state != "refused",
)
Index("sends_reference_key", sends.c.tenant, sends.c.operation, sends.c.reference, unique=True)
Index("sends_fingerprint_idx", sends.c.tenant, sends.c.operation, sends.c.fingerprint, sends.c.created_at)
Index("sends_state_idx", sends.c.tenant, sends.c.operation, sends.c.state, sends.c.created_at)
Index("sends_created_at_idx", sends.c.created_at)
