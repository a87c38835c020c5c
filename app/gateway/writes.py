"""One request's change, remembered before it leaves and after.

Before the change leaves, one transaction claims the request's idempotency key and journals what is sent; afterwards,
one transaction writes what became of it, with the answer for those who repeat the request.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.errors import Conflict, IdempotencyInProgress
from app.storage.database.statements import Work
from app.storage.writes.endings import Answered, Ending
from app.storage.writes.models import AttemptState, DuplicateSend, JournalEntry, KeyClaim, KeyTaken, NewAttempt, Outcome
from app.storage.writes.store import WriteStore
from app.texts import sentence


@dataclass(slots=True)
class Prepared:
    """Something that is journaled when it leaves, as `Sends.sending` is told of it."""

    attempt: NewAttempt
    unless_since: datetime | None
    resumable: bool
    also: Sequence[Work[None]]
    refused: bool = False
    begun: JournalEntry | None = None
    outcome: Outcome | None = None


class Write:
    """One request's change, from before it leaves until it is answered."""

    def __init__(self, store: WriteStore, claim: KeyClaim | None = None, earlier: JournalEntry | None = None) -> None:
        self.earlier = earlier
        self.left = False
        self._store = store
        self._claim = claim
        self._sending: Prepared | None = None
        self._beginning = asyncio.Lock()

    @property
    def has_key(self) -> bool:
        """Whether the answer is remembered together with what became of the change."""
        return self._claim is not None

    @property
    def is_resumable(self) -> bool:
        """Whether a later request with the key can find out what became of what was sent."""
        return self._sending is not None and self._sending.begun is not None and self._sending.resumable

    def prepare(self, sending: Prepared) -> None:
        """Have something journaled when it leaves; raises `ValueError` where something else is still to be settled."""
        if self._sending is not None and self._sending.begun is not None:
            raise ValueError("a request sends one thing at a time")
        self._sending = sending

    def holds(self, sending: Prepared) -> bool:
        """Tell whether what became of something is still to be written."""
        return self._sending is sending

    async def begin(self) -> None:
        """Claim the key and journal what is prepared, unless that is done.

        Raises:
            IdempotencyInProgress: another request has got the key.
            Conflict: an equal one has been sent a short while ago.
            DuplicateKey: the key belongs to an earlier attempt.
            StateUnavailable: it cannot be written; nothing must be sent.
        """
        async with self._beginning:
            sending = self._sending if self._sending and self._sending.begun is None else None
            claim = self._claim if not self.left else None
            if sending is None and claim is None:
                return
            try:
                await self._begin(sending, claim)
            except BaseException:
                if sending is not None:
                    sending.refused = True
                raise
            self.left = True

    async def _begin(self, sending: Prepared | None, claim: KeyClaim | None) -> None:
        try:
            if sending is None:
                await self._store.begin(None, claim=claim)
                return
            sending.begun = await self._store.begin(
                sending.attempt,
                claim=claim,
                unless_since=sending.unless_since,
                resumable=sending.resumable,
                also=sending.also,
            )
        except KeyTaken:
            raise IdempotencyInProgress(
                "Another request with this key is under way.", headers={"Retry-After": "1"}
            ) from None
        except DuplicateSend as duplicate:
            raise _conflict(duplicate.earlier) from None

    async def end(self, *, answered: Answered | None = None, left: bool = False) -> bool:
        """Write what became of the change, and the answer or, without one, whether the change may have left."""
        sending, self._sending = self._sending, None
        begun = sending.begun if sending else None
        if begun is None and (self._claim is None or not self.left):
            return True
        claim = self._claim if self.left else None
        self._claim = None
        outcome = sending.outcome if sending else None
        return await self._store.end(Ending(attempt=begun, outcome=outcome, claim=claim, answered=answered, left=left))


def _conflict(earlier: JournalEntry) -> Conflict:
    which = (
        sentence("campaign {id}", id=earlier.reference)
        if earlier.reference
        else sentence("the request with the id {request_id}", request_id=earlier.request_id)
    )
    fate = sentence("created" if earlier.state is AttemptState.CONFIRMED else "sent to the platform")
    return Conflict(
        sentence(
            "A campaign with the same templates, list and range was {fate} at {value}: {which}. If "
            "a second one is meant, repeat the request with `allow_duplicate=true`.",
            fate=fate,
            value=earlier.created_at.isoformat(timespec="seconds"),
            which=which,
        )
    )
