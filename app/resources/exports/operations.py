"""Upstream operations of a list's exports (manual 4.6 and 4.7): plain text, a record a line, cells split by tabs.

A line that is no record - an address and a name, or a time and an address - is refused, and the export with it: what
stands behind it may be missing. What a record lacks is null and counts as drift.
"""

from pydantic_core import to_jsonable_python

from app.gateway.checks import LIST_ID, ExportCheck, same
from app.gateway.operation import Export
from app.resources.exports.schemas import ExportedContact, Unsubscribe
from app.upstream.document import Document, DriftKind, UnexpectedForm
from app.upstream.envelope import Parameters
from app.upstream.sources import ADDRESS, ReadLines, Row, TextLines
from app.upstream.values import local_time, text

_SCRIPT = "mloperate.php"
_HEADINGS = frozenset({"邮件地址"})
"""The platform's importer passes over this heading, so its exporter may write it."""


def _by_id(list_id: int) -> Parameters:
    return Parameters(query={"id": str(list_id)})


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _contacts(document: Document) -> ReadLines:
    def read(line: str) -> Row:
        email, *rest = _cells(line)
        if not ADDRESS.fullmatch(email):
            raise UnexpectedForm("lines without an address")
        if len(rest) != 1:
            document.note(DriftKind.UNKNOWN_ELEMENT if rest else DriftKind.MISSING_ELEMENT, "line/name")
        return {"email": email, "name": document.convert(rest[0], text, "line/name") if rest else None}

    return lambda lines: list(map(read, lines))


def _unsubscribes(document: Document) -> ReadLines:
    def read(line: str) -> Row:
        cells = _cells(line)
        if ADDRESS.fullmatch(cells[0]):
            document.note(DriftKind.MISSING_ELEMENT, "line/time")
            return {"unsubscribed_at": None, "email": cells[0]}
        if len(cells) < 2 or not ADDRESS.fullmatch(cells[1]):
            raise UnexpectedForm("lines without an address")
        time = document.convert(cells[0], local_time, "line/time")
        return {"unsubscribed_at": to_jsonable_python(time), "email": cells[1]}

    return lambda lines: list(map(read, lines))


CONTACTS = Export(
    name="exports.contacts",
    section="4.6",
    script=_SCRIPT,
    do="subscription-export",
    encode=_by_id,
    source=TextLines(ExportedContact, _contacts, headings=_HEADINGS),
    tags=frozenset({"contacts"}),
)

UNSUBSCRIBES = Export(
    name="exports.unsubscribes",
    section="4.7",
    script=_SCRIPT,
    do="unsubscribe-export",
    encode=_by_id,
    source=TextLines(Unsubscribe, _unsubscribes, headings=_HEADINGS),
    tags=frozenset({"unsubscribes"}),
)

CHECKS = (
    ExportCheck(operation=CONTACTS, by=LIST_ID, ask=same, path="/v1/lists/{}/contacts/export"),
    ExportCheck(operation=UNSUBSCRIBES, by=LIST_ID, ask=same, path="/v1/lists/{}/unsubscribes/export"),
)
