"""The durable journal of sends: what was about to go out, and what became of it."""

from app.storage.journal.models import (
    Attempt,
    AttemptState,
    Duplicate,
    DuplicateKey,
    DuplicateSend,
    Journal,
    JournalUnavailable,
    NewAttempt,
)

__all__ = [
    "Attempt",
    "AttemptState",
    "Duplicate",
    "DuplicateKey",
    "DuplicateSend",
    "Journal",
    "JournalUnavailable",
    "NewAttempt",
]
