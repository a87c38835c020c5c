"""What the platform received: every call, kept for tests and for people."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

SECRET_NAMES = frozenset({"password", "pwd", "authorization", "cookie"})
MASK = "***"


@dataclass(frozen=True)
class UploadedFile:
    """One file part of a multipart request; ``name`` is that of the form field."""

    name: str
    filename: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass
class ReceivedCall:
    """One request as the platform received it.

    ``account`` is ``None`` when the credentials were refused; ``fault`` names the misbehaviour it met and
    ``processed`` says whether the operation was carried out.
    """

    account: str | None
    operation: str
    script: str
    method: str
    query: dict[str, str] = field(repr=False)
    form: dict[str, str] = field(repr=False)
    files: list[UploadedFile]
    headers: dict[str, str] = field(repr=False)
    endpoint: str = "apinew"
    fault: str | None = None
    processed: bool = False

    def public(self) -> dict[str, Any]:
        """Describe the call as JSON values, secrets masked and file contents left out."""
        return {
            "account": self.account,
            "endpoint": self.endpoint,
            "operation": self.operation,
            "script": self.script,
            "method": self.method,
            "query": _masked(self.query),
            "form": _masked(self.form),
            "files": [{"name": item.name, "filename": item.filename, "size": len(item.content)} for item in self.files],
            "headers": _masked(self.headers),
            "fault": self.fault,
            "processed": self.processed,
        }


def _masked(values: dict[str, str]) -> dict[str, str]:
    return {name: MASK if name.lower() in SECRET_NAMES else value for name, value in values.items()}


class Journal:
    """The newest calls, oldest first."""

    def __init__(self, limit: int = 1000) -> None:
        """Keep at most ``limit`` calls."""
        self._calls: deque[ReceivedCall] = deque(maxlen=limit)

    def record(self, call: ReceivedCall) -> None:
        """Add a call at the end."""
        self._calls.append(call)

    def calls(self) -> list[ReceivedCall]:
        """Answer a copy of what is kept."""
        return list(self._calls)
