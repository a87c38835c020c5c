"""Upstream operations of a list's exports (manual 4.6 and 4.7): plain text, a record a line, cells split by tabs.

A line is taken for a record if it holds an address; what else it lacks is null and counts as drift. Lines without one
are left out and counted, except that a reply of nothing but such lines is no export.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from app.api.pagination import Collection
from app.gateway.operation import DeadlineClass, Effect, Operation
from app.resources.exports.schemas import ExportedContact, Unsubscribe
from app.upstream.document import Document, DriftKind, UnexpectedForm
from app.upstream.envelope import Parameters
from app.upstream.values import local_time, text

_SCRIPT = "mloperate.php"
_HEADING = "邮件地址"
"""The platform's importer passes over this heading, so its exporter may write it."""

Item = TypeVar("Item")


def _by_id(list_id: int) -> Parameters:
    return Parameters(query={"id": str(list_id)})


def _records(document: Document, read: Callable[[Document, list[str]], Item | None]) -> list[Item]:
    if document.root:
        raise UnexpectedForm(f"a document <{document.redact(document.root)[:64]}> where lines were promised")
    lines = [cells for line in document.lines() if _HEADING not in (cells := _cells(line))]
    items = [item for cells in lines if (item := read(document, cells)) is not None]
    if lines and not items:
        raise UnexpectedForm("lines without an address")
    return items


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _contact(document: Document, cells: list[str]) -> ExportedContact | None:
    email, *rest = cells
    if "@" not in email:
        document.note(DriftKind.UNREADABLE_VALUE, "line")
        return None
    if len(rest) != 1:
        document.note(DriftKind.UNKNOWN_ELEMENT if rest else DriftKind.MISSING_ELEMENT, "line/name")
    return ExportedContact(email=email, name=document.convert(rest[0], text, "line/name") if rest else None)


def _unsubscribe(document: Document, cells: list[str]) -> Unsubscribe | None:
    email = next((cell for cell in cells if "@" in cell), None)
    if email is None:
        document.note(DriftKind.UNREADABLE_VALUE, "line")
        return None
    left_at: datetime | None = None
    if cells[0] == email:
        document.note(DriftKind.MISSING_ELEMENT, "line/time")
    else:
        left_at = document.convert(cells[0], local_time, "line/time")
    return Unsubscribe(unsubscribed_at=left_at, email=email)


def _contacts(document: Document, _list_id: int) -> Collection[ExportedContact]:
    return Collection[ExportedContact](data=_records(document, _contact))


def _unsubscribes(document: Document, _list_id: int) -> Collection[Unsubscribe]:
    return Collection[Unsubscribe](data=_records(document, _unsubscribe))


CONTACTS = Operation(
    name="exports.contacts",
    section="4.6",
    script=_SCRIPT,
    do="subscription-export",
    root=None,
    encode=_by_id,
    decode=_contacts,
    effect=Effect.READ,
    deadline=DeadlineClass.EXPORT,
    tags=frozenset({"contacts"}),
)

UNSUBSCRIBES = Operation(
    name="exports.unsubscribes",
    section="4.7",
    script=_SCRIPT,
    do="unsubscribe-export",
    root=None,
    encode=_by_id,
    decode=_unsubscribes,
    effect=Effect.READ,
    deadline=DeadlineClass.EXPORT,
    tags=frozenset({"unsubscribes"}),
)
