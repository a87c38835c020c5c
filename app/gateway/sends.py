"""Sends and the journal: nothing that makes mail go out leaves before a row says so."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from app.errors import GatewayError, OutcomeUnknown, UpstreamMalformed
from app.gateway.context import Caller
from app.gateway.writes import Prepared, Write
from app.storage.database.statements import Work
from app.storage.writes.endings import Ending
from app.storage.writes.models import AttemptState, Confirmed, JournalEntry, NewAttempt, Outcome, Settled
from app.storage.writes.store import WriteStore

_TAKEN_SINCE = timedelta(days=2)


class Sends:
    """Journals sends."""

    def __init__(self, store: WriteStore) -> None:
        self._store = store

    async def find(self, tenant: str, key: str) -> JournalEntry | None:
        """Return the latest attempt under an idempotency key.

        Raises:
            StateUnavailable: the journal cannot be read.
        """
        return (await self._store.find(tenant, key)).attempt

    def earlier(self, caller: Caller) -> JournalEntry | None:
        """Return the latest attempt under the request's own idempotency key, if there is one that was not refused."""
        write = caller.context.write
        earlier = write.earlier if write is not None else None
        return None if earlier is None or earlier.state is AttemptState.REFUSED else earlier

    @asynccontextmanager
    async def sending(
        self,
        attempt: NewAttempt,
        caller: Caller,
        *,
        unless_since: datetime | None = None,
        resumable: bool = False,
        also: Sequence[Work[None]] = (),
    ) -> AsyncIterator["Sent"]:
        """Journal what is sent inside the context: before it leaves, and what it ends in.

        Args:
            unless_since: refuse it if an equal one has been sent since.
            resumable: whether a later request with the same key can find out what became of it.
            also: further steps of the transaction that journals it.

        Raises:
            Conflict: an equal one has been sent since.
            DuplicateKey: its idempotency key belongs to an earlier attempt.
            StateUnavailable: it cannot be journaled; nothing was sent.
        """
        write = caller.context.write
        if write is None:
            write = caller.context.write = Write(self._store)
        prepared = Prepared(attempt, unless_since, resumable, also)
        write.prepare(prepared)
        sent = Sent(self._store, write, prepared)
        try:
            yield sent
        except (OutcomeUnknown, UpstreamMalformed) as unanswered:
            await sent.unknown(unanswered.detail)
            raise
        except GatewayError as refusal:
            await sent.refused(refusal.detail)
            raise
        except BaseException:
            await asyncio.shield(sent.unknown("the request was given up while it was under way"))
            raise

    @asynccontextmanager
    async def noting(
        self, operation: str, fingerprint: str, request: dict[str, Any], caller: Caller
    ) -> AsyncIterator[None]:
        """Journal a change that is made inside the context, apart from the request's key and from what it sends.

        Raises:
            StateUnavailable: it cannot be journaled; nothing may be changed.
        """
        attempt = NewAttempt(
            tenant=caller.tenant.id,
            operation=operation,
            fingerprint=fingerprint,
            request=request,
            request_id=caller.context.request_id,
            key_id=caller.key_id,
        )
        begun = await self._store.begin(attempt)
        outcome: Outcome = Settled(AttemptState.UNKNOWN, "it was given up while it was under way")
        try:
            yield
            outcome = Confirmed(attempt.id)
        except (OutcomeUnknown, UpstreamMalformed) as unanswered:
            outcome = Settled(AttemptState.UNKNOWN, unanswered.detail)
            raise
        except GatewayError as refusal:
            outcome = Settled(AttemptState.REFUSED, refusal.detail)
            raise
        finally:
            await self._store.end(Ending(attempt=begun, outcome=outcome))

    async def confirmed_as(self, caller: Caller, operation: str, reference: str) -> JournalEntry | None:
        """Return what was sent and is confirmed with a reference."""
        return await self._store.confirmed_as(caller.tenant.id, operation, reference)

    async def last_alike(self, caller: Caller, operation: str, fingerprint: str) -> JournalEntry | None:
        """Return what is noted with a fingerprint: what is open, or else the latest."""
        return await self._store.last_alike(caller.tenant.id, operation, fingerprint)

    async def confirm(self, attempt: JournalEntry, reference: str, also: Sequence[Work[None]] = ()) -> bool:
        """Write that an earlier attempt was sent, and as what; False if another attempt holds that reference."""
        return await self._store.note(attempt, Confirmed(reference, also))

    async def taken(self, attempt: JournalEntry) -> set[str]:
        """Return the references that attempts of the same kind hold, of those that this one could be.

        Raises:
            StateUnavailable: the journal cannot be read.
        """
        return await self._store.references(attempt.tenant, attempt.operation, attempt.created_at - _TAKEN_SINCE)

    async def rivals(self, attempt: JournalEntry) -> list[JournalEntry]:
        """Return the other attempts of the same kind whose fate is open, so that what one is looking for may be theirs.

        Ask this before `taken`: what is confirmed in between is then at least among one of them.

        Raises:
            StateUnavailable: the journal cannot be read.
        """
        since = attempt.created_at - _TAKEN_SINCE
        found = await self._store.unresolved(attempt.tenant, attempt.operation, since)
        return [each for each in found if each.id != attempt.id]


class Sent:
    """Something that is being sent, and what becomes of it."""

    def __init__(self, store: WriteStore, write: Write, sending: Prepared) -> None:
        self._store = store
        self._write = write
        self._sending = sending

    @property
    def attempt(self) -> JournalEntry | None:
        """The attempt as it was journaled; None as long as it was not."""
        return self._sending.begun

    async def confirmed(self, reference: str, also: Sequence[Work[None]] = ()) -> None:
        """Write that it was sent, and as what; a request with a key does so together with its answer."""
        await self._ended(Confirmed(reference, also))

    async def found(self, reference: str, also: Sequence[Work[None]] = ()) -> bool:
        """Write that it was found to have been sent; False if another attempt holds that reference."""
        attempt = self._sending.begun
        if attempt is None or not await self._store.note(attempt, Confirmed(reference, also)):
            return False
        self._sending.outcome = None
        return True

    async def refused(self, detail: str) -> None:
        """Write that nothing was sent."""
        if self._sending.begun is not None:
            await self._ended(Settled(AttemptState.REFUSED, detail))
        elif self._write.has_key and not self._sending.refused:
            await self._store.record(self._sending.attempt, detail)

    async def unknown(self, detail: str) -> None:
        """Write that nobody knows what became of it."""
        if self._sending.begun is not None:
            await self._ended(Settled(AttemptState.UNKNOWN, detail))

    async def _ended(self, outcome: Outcome) -> None:
        attempt = self._sending.begun
        self._sending.outcome = outcome
        if not self._write.holds(self._sending) and attempt is not None:
            await self._store.note(attempt, outcome)
        elif not self._write.has_key:
            await self._write.end()


def new_attempt(operation: str, fingerprint: str, request: dict[str, Any], caller: Caller) -> NewAttempt:
    """Return what the journal is told of something that is about to be sent."""
    return NewAttempt(
        tenant=caller.tenant.id,
        operation=operation,
        idempotency_key=caller.context.idempotency_key,
        fingerprint=fingerprint,
        request=request,
        request_id=caller.context.request_id,
        key_id=caller.key_id,
    )
