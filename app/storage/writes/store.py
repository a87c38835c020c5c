"""The one store of writes: journal, idempotency keys and leases, in the same transactions."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from app.errors import DatabaseError, StateUnavailable
from app.storage.database.database import Database
from app.storage.database.statements import Statement, Steps, T, Work
from app.storage.writes import attempts, keys
from app.storage.writes.background import Errands, Sweeper
from app.storage.writes.endings import Answered, Ending, Endings
from app.storage.writes.leases import Holding, ProcessLease
from app.storage.writes.models import (
    AttemptState,
    Found,
    JournalEntry,
    KeyClaim,
    KeyTaken,
    NewAttempt,
    Outcome,
    Settled,
    opened,
)
from app.tenants.vault import MasterKey


class WriteStore:
    """Remembers writes before they leave and after. Methods raise `StateUnavailable` if the database cannot be used.

    Whatever must happen together with a write rides along as further steps of its transaction (`also`), or makes a
    transaction of its own (`transaction`).
    """

    def __init__(
        self,
        database: Database,
        master_key: MasterKey,
        *,
        now: Callable[[], datetime] | None = None,
        lease: float = 10.0,
        journal_kept: timedelta = timedelta(days=90),
        keys_kept: float = keys.DAY,
        sweep_interval: float = 60.0,
        most_answers: int = 10_000,
        most_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        """Connect the parts; nothing is read yet. What a dead process held is free after `lease` seconds; beyond
        `most_answers` and `most_bytes` of a tenant it is only known that an answer was given.
        """
        self._database = database
        self._sealer = keys.AnswerSealer(master_key)
        self._now = now or (lambda: datetime.now(UTC))
        self._retention = keys_kept
        self._process = ProcessLease(database, seconds=lease)
        self._sweeper = Sweeper(
            database,
            now=self._now,
            journal_kept=journal_kept,
            interval=sweep_interval,
            most_answers=most_answers,
            most_bytes=most_bytes,
        )
        self._endings = Endings(
            self._sealer, now=self._now, holder=self._process.holder, retention=keys_kept, kept=self._sweeper.added
        )
        self._errands = Errands(database)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep what needs it going while the context is open; the database must be open."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._process.stop)
            await stack.enter_async_context(self._sweeper.running())
            stack.push_async_callback(self._errands.finish)
            yield

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return self._now().astimezone(UTC)

    async def check(self) -> None:
        """See whether the database can be used; raises `DatabaseError` where it cannot."""
        await self._database.check()

    async def transaction(self, work: Work[T]) -> T:
        """Carry out steps of one's own in a transaction."""
        return await _available(self._database.write(work))

    async def reading(self, work: Work[T]) -> T:
        """Carry out steps of one's own that change nothing."""
        return await _available(self._database.read(work))

    async def find(self, tenant: str, key: str) -> Found:
        """Return what is known of an idempotency key."""
        rows, latest = await self.reading(lambda: _asked(keys.finding(tenant, key), attempts.latest(tenant, key)))
        attempt = attempts.attempt_of(latest[0]) if latest else None
        return Found(keys.key_use(rows, tenant, key, self._sealer), attempt)

    async def begin(
        self,
        attempt: NewAttempt | None,
        *,
        claim: KeyClaim | None = None,
        unless_since: datetime | None = None,
        resumable: bool = False,
        also: Sequence[Work[None]] = (),
    ) -> JournalEntry | None:
        """Journal what is about to leave and take its key, in one transaction; to be followed by `end`.

        It is refused if an equal one was sent since `unless_since`; `resumable` says that a later request with the key
        can find out what became of it; what `also` raises undoes all of it.

        Raises:
            KeyTaken: another request has got the key.
            DuplicateKey, DuplicateSend: as `attempts.opening`.
        """
        asked, beat, moment = time.monotonic(), self._process.due(), self._now().astimezone(UTC)
        holder = self._process.holder
        taken = None
        if claim is not None:
            taken = keys.claiming(claim, holder=holder, resumable=resumable, retention=self._retention)

        def steps() -> Steps[None]:
            if attempt is None:
                return _claiming(taken, beat, also)
            return attempts.opening(
                attempt,
                unless_since=unless_since,
                holder=holder,
                moment=moment,
                claim=taken,
                beat=beat,
                also=also,
            )

        self._process.keep()
        begun = opened(attempt, moment) if attempt is not None else None
        try:
            await self._database.write(steps)
        except DatabaseError as error:
            self._undo(begun, claim)
            raise _unavailable(error) from None
        except asyncio.CancelledError:
            self._undo(begun, claim)
            raise
        except BaseException:
            self._process.let_go()
            raise
        if beat is not None:
            self._process.renewed(asked)
        return begun

    async def end(self, ending: Ending) -> bool:
        """Write what became of it, and the answer, in one transaction, carried to its end even if the caller leaves.

        It raises nothing: what cannot be written now is tried again. False says that another attempt has the reference,
        or that the attempt was closed otherwise before.
        """
        return await self._errands.finished(self._end(ending))

    async def note(self, attempt: JournalEntry, outcome: Outcome) -> bool:
        """Write what became of an attempt that is not in this process's hands any more; as `end`."""
        return await self._errands.written(lambda: self._endings.outcome(attempt, outcome), attempt.id)

    async def record(self, attempt: NewAttempt, detail: str) -> None:
        """Journal an attempt that was refused before it could be begun."""
        outcome, holder, moment = Settled(AttemptState.REFUSED, detail), self._process.holder, self._now()
        await self._errands.written(
            lambda: attempts.recording(attempt, outcome, holder=holder, moment=moment), attempt.id
        )

    async def settle(self, claim: KeyClaim, answered: Answered) -> None:
        """Give an answer to a request whose process has died, once it is known what became of it."""
        await self._errands.written(lambda: _asked(self._endings.finishing(claim, answered, None)), claim.key)

    async def confirmed_as(self, tenant: str, operation: str, reference: str) -> JournalEntry | None:
        return await self._one(attempts.confirmed_as(tenant, operation, reference))

    async def last_alike(self, tenant: str, operation: str, fingerprint: str) -> JournalEntry | None:
        """Return an open attempt with a fingerprint, or else the latest confirmed one."""
        return await self._one(attempts.last_alike(tenant, operation, fingerprint))

    async def _one(self, statement: Statement) -> JournalEntry | None:
        (rows,) = await self.reading(lambda: _asked(statement))
        return attempts.attempt_of(rows[0]) if rows else None

    async def references(self, tenant: str, operation: str, since: datetime) -> set[str]:
        """Return the references that attempts created since then hold."""
        return await self.reading(lambda: attempts.references(tenant, operation, since))

    async def unresolved(self, tenant: str, operation: str, since: datetime) -> list[JournalEntry]:
        """Return the attempts created since then whose fate is open, oldest first."""
        return await self.reading(lambda: attempts.unresolved(tenant, operation, since))

    def holding(self, *names: str | int, wait: float) -> AbstractAsyncContextManager[Holding]:
        """Hold something alone, among all processes, while the context is open; others who want it wait.

        Raises:
            StateUnavailable: it was not to be had within `wait` seconds.
        """
        return self._process.holding(*names, wait=wait)

    async def _end(self, ending: Ending) -> bool:
        try:
            name = ending.attempt.id if ending.attempt else None
            return await self._errands.write(lambda: self._endings.steps(ending), name)
        finally:
            self._process.let_go()

    def _undo(self, attempt: JournalEntry | None, claim: KeyClaim | None) -> None:
        """Take back what may have been written by a transaction that nobody waited for; nothing was sent."""
        outcome = Settled(AttemptState.REFUSED, "it was given up before it left") if attempt is not None else None
        self._errands.start(self._undone(Ending(attempt=attempt, outcome=outcome, claim=claim)))

    async def _undone(self, ending: Ending) -> None:
        try:
            await self._errands.write_in_the_end(lambda: self._endings.steps(ending))
        finally:
            self._process.let_go()


async def _available(access: Coroutine[Any, Any, T]) -> T:
    try:
        return await access
    except DatabaseError as error:
        raise _unavailable(error) from None


def _unavailable(_error: DatabaseError) -> StateUnavailable:
    return StateUnavailable(
        "The journal of sends and idempotency keys cannot be used at the moment. Nothing was sent.",
        headers={"Retry-After": "5"},
    )


def _asked(*statements: Statement) -> Steps[Any]:
    found = yield statements
    return found


def _claiming(taken: Statement | None, beat: Statement | None, also: Sequence[Work[None]]) -> Steps[None]:
    claimed, _ = yield [taken, beat]
    if taken is not None and not claimed:
        raise KeyTaken
    for steps in also:
        yield from steps()
