"""Sends and the journal: nothing that makes mail go out leaves before a row says so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog

from app.errors import Conflict, GatewayError, OutcomeUnknown, StateUnavailable, UpstreamMalformed
from app.gateway.context import Caller
from app.storage.journal.models import Attempt, AttemptState, DuplicateSend, Journal, JournalUnavailable, NewAttempt

Result = TypeVar("Result")

log = structlog.get_logger(__name__)

_TAKEN_SINCE = timedelta(days=2)


class Sends:
    """Journals sends.

    Args:
        journal: where to.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def find(self, tenant: str, key: str) -> Attempt | None:
        """Return the latest attempt under an idempotency key.

        Raises:
            StateUnavailable: the journal cannot be read.
        """
        return await _before(self._journal.find(tenant, key))

    async def open(self, attempt: NewAttempt, *, unless_since: datetime | None = None) -> Attempt:
        """Write that something is about to be sent.

        Args:
            attempt: what.
            unless_since: refuse it if an equal one has been sent since.

        Raises:
            Conflict: an equal one has been sent since.
            DuplicateKey: its idempotency key belongs to an earlier attempt.
            StateUnavailable: it cannot be written; nothing must be sent.
        """
        if unless_since is None:
            return await _before(self._journal.open(attempt))
        try:
            return await _before(self._journal.open_guarded(attempt, unless_since=unless_since))
        except DuplicateSend as duplicate:
            raise _conflict(duplicate.earlier) from None

    @asynccontextmanager
    async def sending(self, attempt: Attempt) -> AsyncIterator[None]:
        """Write what the sending inside the context ends in, if it fails; success is for `confirm` to write."""
        try:
            yield
        except (OutcomeUnknown, UpstreamMalformed) as unanswered:
            await self.leave_open(attempt, unanswered.detail)
            raise
        except GatewayError as refusal:
            await _after(attempt, self._journal.refuse(attempt.id, refusal.detail))
            raise
        except BaseException:
            await asyncio.shield(self.leave_open(attempt, "the request was given up while it was under way"))
            raise

    async def confirm(self, attempt: Attempt, reference: str) -> bool:
        """Write that something was sent, and as what; False if another attempt holds that reference already."""
        confirmed = await _after(attempt, self._journal.confirm(attempt.id, reference))
        return confirmed is not False

    async def leave_open(self, attempt: Attempt, detail: str) -> None:
        """Write that nobody knows what became of an attempt."""
        await _after(attempt, self._journal.unknown(attempt.id, detail))

    async def taken(self, attempt: Attempt) -> set[str]:
        """Return the references that attempts of the same kind hold, of those that this one could be.

        Raises:
            StateUnavailable: the journal cannot be read.
        """
        since = attempt.created_at - _TAKEN_SINCE
        return await _before(self._journal.references(attempt.tenant, attempt.operation, since=since))

    async def rivals(self, attempt: Attempt) -> list[Attempt]:
        """Return the other attempts of the same kind whose fate is open, so that what one is looking for may be theirs.

        Ask this before `taken`: what is confirmed in between is then at least among one of them.

        Raises:
            StateUnavailable: the journal cannot be read.
        """
        since = attempt.created_at - _TAKEN_SINCE
        found = await _before(self._journal.unresolved(attempt.tenant, attempt.operation, since=since))
        return [each for each in found if each.id != attempt.id]


def new_attempt(operation: str, fingerprint: str, request: dict[str, Any], caller: Caller) -> NewAttempt:
    """Return what the journal is told of something that is about to be sent."""
    return NewAttempt(
        tenant=caller.tenant.id,
        operation=operation,
        idempotency_key=caller.context.idempotency_key,
        fingerprint=fingerprint,
        request=request,
        request_id=caller.context.request_id,
    )


async def _before(access: Awaitable[Result]) -> Result:
    try:
        return await access
    except JournalUnavailable:
        raise StateUnavailable(
            "The journal of sends cannot be used at the moment. Nothing was sent.", headers={"Retry-After": "5"}
        ) from None


async def _after(attempt: Attempt, access: Awaitable[bool | None]) -> bool | None:
    """Carry out what must not change the answer any more: the row that stands there says that it may have been sent."""
    try:
        return await access
    except JournalUnavailable:
        log.error("journal_not_written", attempt=attempt.id, tenant=attempt.tenant)
        return None


def _conflict(earlier: Attempt) -> Conflict:
    which = f"campaign {earlier.reference}" if earlier.reference else f"the request with the id {earlier.request_id}"
    fate = "created" if earlier.state is AttemptState.CONFIRMED else "sent to the platform"
    return Conflict(
        f"A campaign with the same templates, list and range was {fate} at"
        f" {earlier.created_at.isoformat(timespec='seconds')}: {which}. If a second one is meant, repeat the request"
        " with `allow_duplicate=true`."
    )
