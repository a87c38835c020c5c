"""What is asked of the table of sends."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select

from app.storage.database.connections import AsyncConnection
from app.storage.database.schema import sends
from app.storage.journal.models import OPEN_STATES, Attempt, AttemptState, NewAttempt

SHOWN = tuple(column for column in sends.c if column is not sends.c.number)
"""The columns that make up an `Attempt`."""


def latest(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Return the query for the attempt that was opened last."""
    return select(*SHOWN).where(*conditions).order_by(sends.c.number.desc()).limit(1)


def with_key(attempt: NewAttempt) -> Select[Any]:
    """Return the query for the attempt that has the idempotency key of `attempt` and was not refused."""
    return latest(*_alike(attempt), sends.c.idempotency_key == attempt.idempotency_key)


def same_since(attempt: NewAttempt, since: datetime) -> Select[Any]:
    """Return the query for the latest attempt since then that may have sent what `attempt` would send."""
    return latest(*_alike(attempt), sends.c.fingerprint == attempt.fingerprint, sends.c.created_at >= since)


def with_reference(attempt: Attempt, reference: str) -> Select[Any]:
    """Return the query for the attempt of the tenant and operation of `attempt` that holds a reference."""
    return latest(*_alike(attempt), sends.c.reference == reference)


async def first(connection: AsyncConnection, query: Select[Any]) -> Attempt | None:
    """Return the attempt that a query finds, if it finds one."""
    row = (await connection.execute(query)).first()
    return None if row is None else attempt_of(row)


async def references(connection: AsyncConnection, tenant: str, operation: str, since: datetime) -> set[str]:
    """Return the references that attempts created since then hold."""
    query = select(sends.c.reference).where(*_since(tenant, operation, since), sends.c.reference.is_not(None))
    return set((await connection.execute(query)).scalars())


async def unresolved(connection: AsyncConnection, tenant: str, operation: str, since: datetime) -> list[Attempt]:
    """Return the open attempts created since then, oldest first."""
    conditions = (*_since(tenant, operation, since), sends.c.state.in_(OPEN_STATES))
    query = select(*SHOWN).where(*conditions).order_by(sends.c.number)
    return [attempt_of(row) for row in await connection.execute(query)]


def _alike(attempt: NewAttempt) -> tuple[ColumnElement[bool], ...]:
    return (
        sends.c.tenant == attempt.tenant,
        sends.c.operation == attempt.operation,
        sends.c.state != AttemptState.REFUSED,
    )


def _since(tenant: str, operation: str, since: datetime) -> tuple[ColumnElement[bool], ...]:
    return sends.c.tenant == tenant, sends.c.operation == operation, sends.c.created_at >= since


def attempt_of(row: Row[Any]) -> Attempt:
    """Return the attempt in a row of `SHOWN`."""
    fields = row._asdict()
    return Attempt(**{**fields, "state": AttemptState(fields["state"])})
