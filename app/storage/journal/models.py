"""Attempts to send, and the interface of every journal of them."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import uuid4

_MOST_DETAIL = 2000


class AttemptState(StrEnum):
    """How much is known of an attempt."""

    PENDING = "pending"
    """The call is about to leave or under way; after a crash it may have been sent."""
    CONFIRMED = "confirmed"
    """The platform confirmed it; final."""
    REFUSED = "refused"
    """The platform refused it, or it is certain that nothing was sent; final."""
    UNKNOWN = "unknown"
    """It was sent, and its fate is not known."""


OPEN_STATES = frozenset({AttemptState.PENDING, AttemptState.UNKNOWN})
"""The states that an attempt may leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """An attempt that is about to be made.

    Args:
        tenant: the tenant's id.
        operation: the operation's name, such as `campaigns.create`.
        fingerprint: hex that is equal for attempts that would send the same thing to the same people.
        request: what is needed to find it again on the platform, as JSON; no secrets.
        request_id: the id of the request that makes it.
        idempotency_key: the client's key, if it gave one.
        id: the attempt's id. Known before the attempt is opened, so that one whose opening was cut short can be
            refused all the same.
    """

    tenant: str
    operation: str
    fingerprint: str
    request: Mapping[str, Any]
    request_id: str
    idempotency_key: str | None = None
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(NewAttempt):
    """An attempt as the journal knows it.

    Args:
        state: how much is known of it.
        reference: the platform's id of what was sent, once confirmed.
        detail: why it was refused or its fate is not known.
        created_at: when it was opened, in UTC.
        updated_at: when its state was last written, in UTC.
    """

    state: AttemptState
    reference: str | None = None
    detail: str | None = None
    created_at: datetime
    updated_at: datetime


class JournalUnavailable(Exception):
    """The journal cannot be read or written; nothing may be sent without it."""


class Duplicate(Exception):
    """An earlier attempt stands in the way.

    Args:
        earlier: that attempt.
    """

    def __init__(self, earlier: Attempt) -> None:
        super().__init__(f"attempt {earlier.id} is {earlier.state}")
        self.earlier = earlier


class DuplicateKey(Duplicate):
    """The tenant has used this idempotency key for the operation, and the attempt was not refused."""


class DuplicateSend(Duplicate):
    """The tenant has sent the same lately, or may have."""


class Journal(Protocol):
    """A durable record of every attempt, written before the attempt is made.

    All methods raise `JournalUnavailable` if the journal cannot be used; whether what they were to write is there is
    then not known. A write that has begun is carried to its end even if the caller is cancelled.
    """

    async def open(self, attempt: NewAttempt) -> Attempt:
        """Write an attempt down as `PENDING`.

        Raises:
            DuplicateKey: an attempt of the tenant and operation with its idempotency key is there and not `REFUSED`.
        """

    async def open_guarded(self, attempt: NewAttempt, *, unless_since: datetime) -> Attempt:
        """Write an attempt down as `PENDING` unless the same was sent lately; of several at once, one gets through.

        Args:
            attempt: the attempt.
            unless_since: attempts of the tenant and operation with the same fingerprint, created then or later, stand
                in the way unless they were `REFUSED`.

        Raises:
            DuplicateKey: as `open`.
            DuplicateSend: such an attempt is there; the latest of them is told.
        """

    async def confirm(self, attempt_id: str, reference: str) -> bool:
        """Make an open attempt `CONFIRMED`.

        Returns:
            Whether it now stands confirmed with this reference. It does not if another attempt of the tenant and
            operation holds the reference, if it was closed otherwise before, or if it is not there; nothing is changed
            then.
        """

    async def refuse(self, attempt_id: str, detail: str) -> bool:
        """Make an open attempt `REFUSED`.

        Returns:
            Whether it now stands refused; not if it was confirmed before, or is not there.
        """

    async def unknown(self, attempt_id: str, detail: str) -> bool:
        """Make an open attempt `UNKNOWN`.

        Returns:
            Whether it now stands so; not if it was confirmed or refused before, or is not there.
        """

    async def find(self, tenant: str, idempotency_key: str) -> Attempt | None:
        """Return the latest attempt with this key, of whatever operation."""

    async def references(self, tenant: str, operation: str, since: datetime) -> set[str]:
        """Return the references that attempts created since then hold."""

    async def unresolved(self, tenant: str, operation: str, since: datetime) -> list[Attempt]:
        """Return the attempts created since then that are `PENDING` or `UNKNOWN`, oldest first."""

    async def forget(self, before: datetime) -> int:
        """Delete the attempts created before then, whatever their state, and return how many there were."""

    async def check(self) -> None:
        """See whether the journal can be used."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Keep the journal usable while the context is open."""


def columns_of(attempt: NewAttempt) -> dict[str, Any]:
    """Return an attempt's fields by name, its request as a dictionary of its own."""
    columns = {each.name: getattr(attempt, each.name) for each in fields(NewAttempt)}
    return {**columns, "request": dict(attempt.request)}


def storable(detail: str) -> str:
    """Return a detail as every database can hold it: of bounded length, without NUL and lone surrogates."""
    text = detail[:_MOST_DETAIL].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode()
