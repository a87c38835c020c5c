"""What is kept of a request that came with an idempotency key."""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class StoreUnavailable(Exception):
    """The store cannot be used, or holds something it cannot read; nothing may be sent without it."""


class ClaimLost(Exception):
    """The claim is no longer this request's: its lease ran out and another took it over, or it has ended."""


class Phase(StrEnum):
    """How far a request has come."""

    CLAIMED = "claimed"
    """Nothing was sent yet."""
    SENDING = "sending"
    """A write began to leave, or may have."""
    FINISHED = "finished"
    """It has been answered."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer to be given again.

    Args:
        status: the HTTP status.
        headers: the headers to repeat.
        body: the body; it may hold anything, and so is not shown.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """A request that used a key before.

    Args:
        phase: how far it has come.
        head: the fingerprint of its method, path, query and content type.
        body: the fingerprint of its body, once that was known.
        request_id: its id.
        answer: what it was answered, if it is `FINISHED`.
        expired_lease: whether it is not, and its process has died or lost touch with the store.
    """

    phase: Phase
    head: str
    body: str | None
    request_id: str
    answer: StoredAnswer | None = None
    expired_lease: bool = False

    def agrees(self, head: str, body: str | None) -> bool:
        """Tell whether a request with these fingerprints is the same one, as far as both bodies are known."""
        return self.head == head and (self.body == body or None in {self.body, body})

    def gives_way(self, to: "Record") -> bool:
        """Tell whether the key may pass to another request: this one sent nothing and is dead, and they are alike."""
        return self.phase is Phase.CLAIMED and self.expired_lease and self.agrees(to.head, to.body)

    def is_unsettled(self, request_id: str) -> bool:
        """Tell whether it is the request with this id, which died while it was sending."""
        return self.phase is Phase.SENDING and self.expired_lease and self.request_id == request_id

    def settled(self, answer: StoredAnswer) -> "Record":
        """Return the record as it is once it has got an answer."""
        return replace(self, phase=Phase.FINISHED, answer=answer, expired_lease=False)
