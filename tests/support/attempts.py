"""Attempts to send, and the time by which they are made."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.storage.writes.models import NewAttempt

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> datetime:
        """Go on by a time and return what it is then."""
        self.time += timedelta(**by)
        return self.time


def make_attempt(**changes: Any) -> NewAttempt:
    """Return an attempt to create a campaign."""
    fields: dict[str, Any] = {
        "tenant": "acme",
        "operation": "campaigns.create",
        "fingerprint": "f1",
        "request": {"template_ids": [1, 2], "list_id": 5, "subject": "新闻", "at": None},
        "request_id": "request-1",
    }
    return NewAttempt(**{**fields, **changes})
