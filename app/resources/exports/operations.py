"""Upstream operations of a list's exports (manual 4.6 and 4.7): plain text, a record a line, cells split by tabs.

A line is taken for a record if it holds an address; what else it lacks is null and counts as drift. Lines without one
are left out and counted, except that a reply of nothing but such lines is no export.
"""

from collections.abc import Iterable

from app.gateway.operation import Export
from app.resources.exports.schemas import ExportedContact, Unsubscribe
from app.upstream.document import Document, DriftKind
from app.upstream.envelope import Parameters
from app.upstream.rows import Memo, Row
from app.upstream.sources import ReadLines, TextLines
from app.upstream.values import local_time, text

_SCRIPT = "mloperate.php"
_HEADING = "邮件地址"
"""The platform's importer passes over this heading, so its exporter may write it."""


def _by_id(list_id: int) -> Parameters:
    return Parameters(query={"id": str(list_id)})


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _contacts(document: Document) -> ReadLines:
    def read(line: str) -> Row | None:
        email, *rest = _cells(line)
        if "@" not in email:
            document.note(DriftKind.UNREADABLE_VALUE, "line")
            return None
        if len(rest) != 1:
            document.note(DriftKind.UNKNOWN_ELEMENT if rest else DriftKind.MISSING_ELEMENT, "line/name")
        return {"email": email, "name": document.convert(rest[0], text, "line/name") if rest else None}

    return lambda lines: _found(map(read, lines))


def _unsubscribes(document: Document) -> ReadLines:
    times = Memo(lambda value: document.convert(value, local_time, "line/time"))

    def read(line: str) -> Row | None:
        cells = _cells(line)
        email = next((cell for cell in cells if "@" in cell), None)
        if email is None:
            document.note(DriftKind.UNREADABLE_VALUE, "line")
            return None
        if cells[0] == email:
            document.note(DriftKind.MISSING_ELEMENT, "line/time")
            return {"unsubscribed_at": None, "email": email}
        return {"unsubscribed_at": times[cells[0]], "email": email}

    return lambda lines: _found(map(read, lines))


def _found(rows: Iterable[Row | None]) -> list[Row]:
    return [row for row in rows if row is not None]


CONTACTS = Export(
    name="exports.contacts",
    section="4.6",
    script=_SCRIPT,
    do="subscription-export",
    encode=_by_id,
    source=TextLines(ExportedContact, _contacts, heading=_HEADING),
    tags=frozenset({"contacts"}),
)

UNSUBSCRIBES = Export(
    name="exports.unsubscribes",
    section="4.7",
    script=_SCRIPT,
    do="unsubscribe-export",
    encode=_by_id,
    source=TextLines(Unsubscribe, _unsubscribes, heading=_HEADING),
    tags=frozenset({"unsubscribes"}),
)
