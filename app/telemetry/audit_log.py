"""Where entries of the audit log go. Each is written whole and at once, and nothing is ever taken back."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from app.telemetry.audit_entry import Entry

log = structlog.get_logger(__name__)


class AuditFileError(Exception):
    """The file of the audit log cannot be used."""


class Sink(Protocol):
    """Takes lines."""

    def write(self, line: str) -> None:
        """Write one line. Raises OSError or ValueError where that is not possible."""


class StandardOutput:
    """Writes lines among the logs."""

    def write(self, line: str) -> None:
        """Write one line at once."""
        sys.stdout.write(line)
        sys.stdout.flush()


class AuditFile:
    """Appends lines to a file, which only its owner may read; several processes may share it.

    Args:
        path: the file. Once it is moved away or removed, the next line begins a new one.

    Raises:
        AuditFileError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = False
        self._descriptor: int | None = None
        try:
            self._current()
        except OSError as error:
            raise AuditFileError(f"The audit log {path} cannot be opened: {error.strerror}.") from None

    def write(self, line: str) -> None:
        """Append one line.

        Raises:
            OSError: it could not be written, or not whole; then the next one starts on a line of its own.
        """
        data = line.encode("ascii")
        if self._torn:
            data = b"\n" + data
        written = os.write(self._current(), data)
        self._torn = written < len(data)
        if self._torn:
            raise OSError("the line was cut")

    def _current(self) -> int:
        if self._descriptor is not None:
            if _is_at(self._descriptor, self._path):
                return self._descriptor
            self.close()
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._torn = False
        return self._descriptor

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is still the one at a path, and not one that was rotated away."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return stat.S_IFMT(ours.st_mode) == stat.S_IFMT(there.st_mode) and os.path.samestat(ours, there)


class Trail:
    """Keeps the audit log.

    A request is not failed because its entry cannot be written, since by then it has been carried out: the failure is
    logged and counted instead.

    Args:
        sink: where entries go.
        on_failure: called for each entry that is lost.
    """

    def __init__(self, sink: Sink, *, on_failure: Callable[[], None]) -> None:
        self._sink = sink
        self._on_failure = on_failure

    def record(self, entry: Entry) -> None:
        """Write an entry down."""
        try:
            self._sink.write(entry.line())
        except (OSError, ValueError) as error:
            self._on_failure()
            reason = getattr(error, "strerror", None) or str(error)
            log.error("audit_entry_lost", request_id=entry.request_id, operation=entry.operation, reason=reason)
