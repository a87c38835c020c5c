"""Attempts to send, and idempotency keys with what they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from app.storage.database.statements import Work

_MOST_DETAIL = 2000


class AttemptState(StrEnum):
    """How much is known of an attempt."""

    PENDING = "pending"
    """It is about to leave or under way."""
    CONFIRMED = "confirmed"
    """The platform confirmed it; final."""
    REFUSED = "refused"
    """The platform refused it, or it is certain that nothing was sent; final."""
    UNKNOWN = "unknown"
    """It was sent, or its process died before it could say, and its fate is not known."""


OPEN_STATES = frozenset({AttemptState.PENDING, AttemptState.UNKNOWN})
"""The states that an attempt may leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """An attempt that is about to be made.

    Args:
        fingerprint: hex that is equal for attempts that would send the same thing to the same people.
        request: what is needed to find it again on the platform, as JSON; no secrets.
    """

    tenant: str
    operation: str
    fingerprint: str
    request: Mapping[str, Any]
    request_id: str
    idempotency_key: str | None = None
    key_id: str | None = None
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry(NewAttempt):
    """An attempt as the journal knows it."""

    state: AttemptState
    reference: str | None = None
    detail: str | None = None
    created_at: datetime
    updated_at: datetime


class Duplicate(Exception):
    """An earlier attempt stands in the way; nothing was written."""

    def __init__(self, earlier: JournalEntry) -> None:
        super().__init__(f"attempt {earlier.id} is {earlier.state}")
        self.earlier = earlier


class DuplicateKey(Duplicate):
    """The tenant has used this idempotency key for the operation, and the attempt was not refused."""


class DuplicateSend(Duplicate):
    """The tenant has sent the same lately, or may have."""


class KeyTaken(Exception):
    """Another request has got the idempotency key meanwhile; nothing was written."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The platform has it, under this reference; `also` is written together with that."""

    reference: str
    also: Sequence[Work[None]] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """It was refused, or its fate is unknown, for the reason given."""

    state: AttemptState
    detail: str


Outcome = Confirmed | Settled


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer to be given again; its body may hold anything, and so is not shown."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """A request's wish to be the one that is carried out under a key.

    Args:
        head: the fingerprint of method, path, query and content type.
    """

    tenant: str
    key: str
    head: str
    request_id: str


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The request that has a key.

    Args:
        head: the fingerprint of its method, path, query and content type.
        resumable: whether its endpoint finds out by itself what became of it.
    """

    head: str
    body: str | None
    request_id: str
    resumable: bool
    alive: bool
    scopes: frozenset[str]
    status: int | None
    answer: StoredAnswer | None


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a key: the request that has it, and the latest attempt to send that was made under it."""

    use: KeyUse | None
    attempt: JournalEntry | None


def opened(attempt: NewAttempt, moment: datetime) -> JournalEntry:
    """Return an attempt as it stands in the journal right after it was opened."""
    values = {name: getattr(attempt, name) for name in NewAttempt.__slots__}
    return JournalEntry(**values, state=AttemptState.PENDING, created_at=moment, updated_at=moment)


def given_up(attempt: JournalEntry) -> JournalEntry:
    """Return a pending attempt whose process has died."""
    return replace(
        attempt, state=AttemptState.UNKNOWN, detail="the gateway ended while it was under way; it may not have left"
    )


def storable(detail: str) -> str:
    """Return a detail as every database can hold it: of bounded length, without NUL and lone surrogates."""
    text = detail[:_MOST_DETAIL].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode()
