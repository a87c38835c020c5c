"""The journal in a database."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import delete, insert, update

from app.errors import DatabaseError
from app.storage.database.connections import AsyncConnection
from app.storage.database.database import Database, Work
from app.storage.database.schema import sends
from app.storage.database.serializing import serialize
from app.storage.journal import queries
from app.storage.journal.models import (
    OPEN_STATES,
    Attempt,
    AttemptState,
    DuplicateKey,
    DuplicateSend,
    JournalUnavailable,
    NewAttempt,
    columns_of,
    storable,
)

T = TypeVar("T")


class DatabaseJournal:
    """A `Journal` in a database that several processes may share.

    Args:
        database: the database; whoever made it keeps it running.
        now: returns the current time as an aware datetime; the system's clock by default.
    """

    def __init__(self, database: Database, now: Callable[[], datetime] | None = None) -> None:
        self._database = database
        self._now = now or (lambda: datetime.now(UTC))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing; the database is kept running by others."""
        yield

    async def check(self) -> None:
        """See whether the database answers.

        Raises:
            JournalUnavailable: it does not.
        """
        try:
            await self._database.check()
        except DatabaseError as error:
            raise JournalUnavailable(str(error)) from None

    async def open(self, attempt: NewAttempt) -> Attempt:
        """Write an attempt down as `PENDING`.

        Raises:
            DuplicateKey: its key is in use.
            JournalUnavailable: the database cannot be used.
        """
        return await self._run(partial(self._open, attempt=attempt, unless_since=None))

    async def open_guarded(self, attempt: NewAttempt, *, unless_since: datetime) -> Attempt:
        """Write an attempt down as `PENDING` unless the same was sent lately.

        Raises:
            DuplicateKey: its key is in use.
            DuplicateSend: the same was sent since `unless_since`, or may have been.
            JournalUnavailable: the database cannot be used.
        """
        return await self._run(partial(self._open, attempt=attempt, unless_since=unless_since))

    async def confirm(self, attempt_id: str, reference: str) -> bool:
        """Make an open attempt `CONFIRMED`; tell whether it now stands so with this reference.

        Raises:
            JournalUnavailable: the database cannot be used.
        """
        return await self._run(partial(self._confirm, attempt_id=attempt_id, reference=reference))

    async def refuse(self, attempt_id: str, detail: str) -> bool:
        """Make an open attempt `REFUSED`; tell whether it now stands so.

        Raises:
            JournalUnavailable: the database cannot be used.
        """
        return await self._run(partial(self._settle, attempt_id=attempt_id, state=AttemptState.REFUSED, detail=detail))

    async def unknown(self, attempt_id: str, detail: str) -> bool:
        """Make an open attempt `UNKNOWN`; tell whether it now stands so.

        Raises:
            JournalUnavailable: the database cannot be used.
        """
        return await self._run(partial(self._settle, attempt_id=attempt_id, state=AttemptState.UNKNOWN, detail=detail))

    async def find(self, tenant: str, idempotency_key: str) -> Attempt | None:
        """Return the latest attempt with this key.

        Raises:
            JournalUnavailable: the database cannot be used.
        """
        query = queries.latest(sends.c.tenant == tenant, sends.c.idempotency_key == idempotency_key)
        return await self._run(partial(queries.first, query=query), reads_only=True)

    async def references(self, tenant: str, operation: str, since: datetime) -> set[str]:
        """Return the references that attempts created since then hold.

        Raises:
            JournalUnavailable: the database cannot be used.
        """
        work = partial(queries.references, tenant=tenant, operation=operation, since=since)
        return await self._run(work, reads_only=True)

    async def unresolved(self, tenant: str, operation: str, since: datetime) -> list[Attempt]:
        """Return the attempts created since then that are open, oldest first.

        Raises:
            JournalUnavailable: the database cannot be used.
        """
        work = partial(queries.unresolved, tenant=tenant, operation=operation, since=since)
        return await self._run(work, reads_only=True)

    async def forget(self, before: datetime) -> int:
        """Delete the attempts created before then and return how many there were.

        Raises:
            JournalUnavailable: the database cannot be used.
        """

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(sends).where(sends.c.created_at < before))).rowcount

        return await self._run(work)

    async def _open(self, connection: AsyncConnection, attempt: NewAttempt, unless_since: datetime | None) -> Attempt:
        about = (attempt.tenant, attempt.operation)
        names = [("fingerprint", *about, attempt.fingerprint)]
        if attempt.idempotency_key is not None:
            names.append(("idempotency_key", *about, attempt.idempotency_key))
        await serialize(connection, *names)
        await _check_duplicates(connection, attempt, unless_since)
        return await self._write(connection, attempt)

    async def _write(self, connection: AsyncConnection, attempt: NewAttempt) -> Attempt:
        moment = self._now()
        written = {"state": AttemptState.PENDING, "created_at": moment, "updated_at": moment}
        row = {**columns_of(attempt), **written}
        result = await connection.execute(insert(sends).values(row).returning(*queries.SHOWN))
        return queries.attempt_of(result.one())

    async def _confirm(self, connection: AsyncConnection, attempt_id: str, reference: str) -> bool:
        attempt = await queries.first(connection, queries.latest(sends.c.id == attempt_id).with_for_update())
        if attempt is None or attempt.state not in OPEN_STATES:
            return attempt is not None and attempt.reference == reference
        await serialize(connection, ("reference", attempt.tenant, attempt.operation, reference))
        if await queries.first(connection, queries.with_reference(attempt, reference)):
            return False
        return await self._change(
            connection, attempt_id, state=AttemptState.CONFIRMED, reference=reference, detail=None
        )

    async def _settle(self, connection: AsyncConnection, attempt_id: str, state: AttemptState, detail: str) -> bool:
        if await self._change(connection, attempt_id, state=state, detail=storable(detail)):
            return True
        attempt = await queries.first(connection, queries.latest(sends.c.id == attempt_id))
        return attempt is not None and attempt.state is state

    async def _change(self, connection: AsyncConnection, attempt_id: str, **changes: str | None) -> bool:
        opened = update(sends).where(sends.c.id == attempt_id, sends.c.state.in_(OPEN_STATES))
        result = await connection.execute(opened.values(**changes, updated_at=self._now()))
        return result.rowcount > 0

    async def _run(self, work: Work[T], *, reads_only: bool = False) -> T:
        try:
            return await self._database.run(work, reads_only=reads_only)
        except DatabaseError as error:
            raise JournalUnavailable(str(error)) from None


async def _check_duplicates(connection: AsyncConnection, attempt: NewAttempt, unless_since: datetime | None) -> None:
    if attempt.idempotency_key is not None:
        with_key = await queries.first(connection, queries.with_key(attempt))
        if with_key is not None:
            raise DuplicateKey(with_key)
    if unless_since is not None:
        same = await queries.first(connection, queries.same_since(attempt, unless_since))
        if same is not None:
            raise DuplicateSend(same)
