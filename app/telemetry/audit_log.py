"""The audit log: who changed what, with as little of a person as possible; each line is written whole and at once."""

import hashlib
import hmac
import json
import os
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import structlog

from app.tenants.vault import MasterKey

Addresses = Literal["hashed", "plain"]

_LONGEST_TARGET = 200
_HASH_LENGTH = 32


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change, or an attempt at one."""

    time: str
    tenant: str | None
    key: str | None
    client: str | None
    method: str
    operation: str | None
    targets: Mapping[str, str]
    status: int | None
    code: str | None
    replayed: bool
    request_id: str
    trace_id: str
    tool: str | None = None
    """The agents' tool that asked for it, if any."""

    def line(self) -> str:
        """Return the entry as one line of JSON in ASCII, line break included."""
        return json.dumps({"event": "audit", **asdict(self)}) + "\n"


class Pseudonyms:
    """Puts keyed hashes in the place of e-mail addresses: equal ones stay equal, and nobody can try addresses out."""

    def __init__(self, master_key: MasterKey, addresses: Addresses) -> None:
        self._plain = addresses == "plain"
        self._key = lru_cache(1000)(lambda tenant: master_key.derive("audit", tenant))

    def of(self, value: str, tenant: str | None) -> str:
        """Return a target as it may be written down for a tenant: not too long, and no address unless allowed."""
        if "@" in value and not self._plain:
            digest = hmac.new(self._key(tenant or ""), value.strip().lower().encode("utf-8", "replace"), hashlib.sha256)
            return f"hmac:{digest.hexdigest()[:_HASH_LENGTH]}"
        return value[:_LONGEST_TARGET]


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


class AuditLog:
    """Keeps the audit log.

    A request is not failed because its entry cannot be written, since by then it has been carried out: the failure is
    logged and counted instead.
    """

    def __init__(self, sink: Sink, *, on_failure: Callable[[], None]) -> None:
        self._sink = sink
        self._on_failure = on_failure
        self._lost = 0

    def record(self, entry: AuditEntry) -> None:
        """Write an entry down."""
        try:
            self._sink.write(entry.line())
        except (OSError, ValueError) as error:
            self._on_failure()
            reason = getattr(error, "strerror", None) or str(error)
            if not self._lost:
                log.error("audit_log_lost", reason=reason, consequence="changes go on and are not recorded")
            self._lost += 1
            log.info("audit_entry_lost", request_id=entry.request_id, operation=entry.operation)
            return
        if self._lost:
            log.warning("audit_log_back", entries_lost=self._lost)
            self._lost = 0
