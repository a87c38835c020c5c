"""A journal that dies with the process."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.storage.journal.models import (
    OPEN_STATES,
    Attempt,
    AttemptState,
    DuplicateKey,
    DuplicateSend,
    NewAttempt,
    columns_of,
    storable,
)


class MemoryJournal:
    """A `Journal` for demonstrations and tests; it grows until it is told to forget.

    Args:
        now: returns the current time as an aware datetime; the system's clock by default.
    """

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self._now = now or (lambda: datetime.now(UTC))
        self._attempts: dict[str, Attempt] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing; there is nothing to open."""
        yield

    async def check(self) -> None:
        """Do nothing; memory is always there."""

    async def open(self, attempt: NewAttempt) -> Attempt:
        """Write an attempt down as `PENDING`.

        Raises:
            DuplicateKey: its key is in use.
        """
        self._check_key(attempt)
        return self._write(attempt)

    async def open_guarded(self, attempt: NewAttempt, *, unless_since: datetime) -> Attempt:
        """Write an attempt down as `PENDING` unless the same was sent lately.

        Raises:
            DuplicateKey: its key is in use.
            DuplicateSend: the same was sent since `unless_since`, or may have been.
        """
        self._check_key(attempt)
        same = (each for each in self._standing(attempt) if each.fingerprint == attempt.fingerprint)
        lately = [each for each in same if each.created_at >= unless_since]
        if lately:
            raise DuplicateSend(lately[-1])
        return self._write(attempt)

    async def confirm(self, attempt_id: str, reference: str) -> bool:
        """Make an open attempt `CONFIRMED`; tell whether it now stands so with this reference."""
        attempt = self._attempts.get(attempt_id)
        if attempt is None:
            return False
        if attempt.state in OPEN_STATES and not self._held(attempt, reference):
            attempt = self._put(attempt, state=AttemptState.CONFIRMED, reference=reference, detail=None)
        return attempt.state is AttemptState.CONFIRMED and attempt.reference == reference

    async def refuse(self, attempt_id: str, detail: str) -> bool:
        """Make an open attempt `REFUSED`; tell whether it now stands so."""
        return self._settle(attempt_id, AttemptState.REFUSED, detail)

    async def unknown(self, attempt_id: str, detail: str) -> bool:
        """Make an open attempt `UNKNOWN`; tell whether it now stands so."""
        return self._settle(attempt_id, AttemptState.UNKNOWN, detail)

    async def find(self, tenant: str, idempotency_key: str) -> Attempt | None:
        """Return the latest attempt with this key."""
        found = [each for each in self._of(tenant) if each.idempotency_key == idempotency_key]
        return found[-1] if found else None

    async def references(self, tenant: str, operation: str, since: datetime) -> set[str]:
        """Return the references that attempts created since then hold."""
        return {each.reference for each in self._of(tenant, operation, since) if each.reference is not None}

    async def unresolved(self, tenant: str, operation: str, since: datetime) -> list[Attempt]:
        """Return the attempts created since then that are open, oldest first."""
        return [each for each in self._of(tenant, operation, since) if each.state in OPEN_STATES]

    async def forget(self, before: datetime) -> int:
        """Delete the attempts created before then and return how many there were."""
        old = [each.id for each in self._attempts.values() if each.created_at < before]
        for attempt_id in old:
            del self._attempts[attempt_id]
        return len(old)

    def _of(self, tenant: str, operation: str | None = None, since: datetime | None = None) -> Iterator[Attempt]:
        for attempt in self._attempts.values():
            of_operation = operation is None or attempt.operation == operation
            if attempt.tenant == tenant and of_operation and (since is None or attempt.created_at >= since):
                yield attempt

    def _standing(self, attempt: NewAttempt) -> Iterator[Attempt]:
        earlier = self._of(attempt.tenant, attempt.operation)
        return (each for each in earlier if each.state is not AttemptState.REFUSED)

    def _check_key(self, attempt: NewAttempt) -> None:
        key = attempt.idempotency_key
        for earlier in self._standing(attempt):
            if key is not None and earlier.idempotency_key == key:
                raise DuplicateKey(earlier)

    def _write(self, attempt: NewAttempt) -> Attempt:
        moment = self._now().astimezone(UTC)
        # Through JSON, so that what a database could not hold is not accepted here.
        columns = json.loads(json.dumps(columns_of(attempt)))
        written = Attempt(**columns, state=AttemptState.PENDING, created_at=moment, updated_at=moment)
        self._attempts[written.id] = written
        return written

    def _held(self, attempt: Attempt, reference: str) -> bool:
        return any(each.reference == reference for each in self._of(attempt.tenant, attempt.operation))

    def _settle(self, attempt_id: str, state: AttemptState, detail: str) -> bool:
        attempt = self._attempts.get(attempt_id)
        if attempt is None:
            return False
        if attempt.state in OPEN_STATES:
            attempt = self._put(attempt, state=state, detail=storable(detail))
        return attempt.state is state

    def _put(self, attempt: Attempt, **changes: Any) -> Attempt:
        changed = replace(attempt, **changes, updated_at=self._now().astimezone(UTC))
        self._attempts[attempt.id] = changed
        return changed
