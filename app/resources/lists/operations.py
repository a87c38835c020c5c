"""Upstream operations of contact lists (manual 4.1 to 4.5)."""

from dataclasses import dataclass

from pydantic_core import to_jsonable_python

from app.gateway.checks import LIST_ID, NOTHING, Check, ExportCheck, same
from app.gateway.operation import EDITED, DeadlineClass, Effect, Export, Operation, acknowledged, by, no_parameters
from app.gateway.pages import Collection
from app.resources.lists.schemas import ContactList, ContactListChanges, ExportedContact, NewContactList, Unsubscribe
from app.texts import sentence
from app.upstream.document import Document, DriftKind, UnexpectedForm
from app.upstream.envelope import Parameters
from app.upstream.records import Element, Record
from app.upstream.sources import ADDRESS, ReadLines, Row, TextLines
from app.upstream.values import integer, local_time, text, word

_MACRON_DESCRIPTION = "descrīption"
"""The vendor's own filter put the macron there; the live service reads and writes both spellings."""

_LIST = Record(
    ContactList,
    {
        "id": Element("id", convert=integer, required=True),
        "name": Element("subject"),
        "description": Element("description", _MACRON_DESCRIPTION),
        "contact_count": Element("count", convert=integer),
        "status": Element("status", convert=word({"enabled", "disabled"})),
    },
)


@dataclass(frozen=True, slots=True)
class EditList:
    """Changes to one list."""

    list_id: int
    changes: ContactListChanges


def _described(fields: dict[str, str], description: str | None) -> dict[str, str]:
    return {**fields, "description": description or "", _MACRON_DESCRIPTION: description or ""}


def _encode_new(request: NewContactList) -> Parameters:
    form = {"subject": request.name, "status": request.status}
    return Parameters(form=form if request.description is None else _described(form, request.description))


def _encode_edit(request: EditList) -> Parameters:
    changes, form = request.changes, {}
    given = changes.model_fields_set
    if "name" in given:
        form["subject"] = changes.name
    if "status" in given:
        form["status"] = changes.status
    if "description" in given:
        form = _described(form, changes.description)
    return Parameters(query={"id": str(request.list_id)}, form=form)


def _lists(document: Document, _request: None) -> Collection[ContactList]:
    return Collection[ContactList](data=document.records("item", _LIST))


def _list(document: Document, list_id: int) -> ContactList:
    document.expect_id("id", list_id, missing=sentence("There is no contact list {list_id}.", list_id=list_id))
    return document.record(_LIST)


def _created(document: Document, request: NewContactList) -> ContactList:
    return ContactList(
        id=document.created_id(),
        name=request.name,
        description=request.description,
        contact_count=0,
        status=request.status,
    )


_TAGS = frozenset({"lists"})

LIST = Operation(
    name="lists.list",
    section="4.1",
    script="mloperate.php",
    do="maillist-list",
    root="maillist",
    encode=no_parameters,
    decode=_lists,
    effect=Effect.READ,
    tags=_TAGS,
    cache=EDITED,
)

GET = Operation(
    name="lists.get",
    section="4.2",
    script="mloperate.php",
    do="maillist-detail",
    root="maillist",
    encode=by("id"),
    decode=_list,
    effect=Effect.READ,
    tags=_TAGS,
    cache=EDITED,
)

CREATE = Operation(
    name="lists.create",
    section="4.3",
    script="mloperate.php",
    do="maillist-add",
    encode=_encode_new,
    decode=_created,
    effect=Effect.WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/lists` shows whether the list is there.",
)

EDIT = Operation(
    name="lists.edit",
    section="4.4",
    script="mloperate.php",
    do="maillist-edit",
    encode=_encode_edit,
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/lists/{list_id}` shows the list as it is; sending the change again is safe.",
)

DELETE = Operation(
    name="lists.delete",
    section="4.5",
    script="mloperate.php",
    do="maillist-del",
    encode=by("id"),
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=frozenset({"lists", "contacts"}),
    find_out="`GET /v1/lists/{list_id}` shows whether the list is still there; deleting it again is safe.",
)


def _ids(lists: Collection[ContactList]) -> list[int]:
    return [each.id for each in sorted(lists.data, key=_worth, reverse=True)]


def _worth(each: ContactList) -> tuple[bool, int]:
    return bool(each.contact_count), each.id


CHECKS = (
    Check(operation=LIST, by=NOTHING, ask=same, path="/v1/lists", tells={LIST_ID: _ids}),
    Check(operation=GET, by=LIST_ID, ask=same, path="/v1/lists/{}"),
)


_SCRIPT = "mloperate.php"
_HEADINGS = frozenset({"邮件地址"})
"""The platform's importer passes over this heading, so its exporter may write it."""


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _exported_contacts(document: Document) -> ReadLines:
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


EXPORT_CONTACTS = Export(
    name="exports.contacts",
    section="4.6",
    script=_SCRIPT,
    do="subscription-export",
    encode=by("id"),
    source=TextLines(ExportedContact, _exported_contacts, headings=_HEADINGS),
    tags=frozenset({"contacts"}),
)

EXPORT_UNSUBSCRIBES = Export(
    name="exports.unsubscribes",
    section="4.7",
    script=_SCRIPT,
    do="unsubscribe-export",
    encode=by("id"),
    source=TextLines(Unsubscribe, _unsubscribes, headings=_HEADINGS),
    tags=frozenset({"unsubscribes"}),
)

EXPORT_CHECKS = (
    ExportCheck(operation=EXPORT_CONTACTS, by=LIST_ID, ask=same, path="/v1/lists/{}/contacts/export"),
    ExportCheck(operation=EXPORT_UNSUBSCRIBES, by=LIST_ID, ask=same, path="/v1/lists/{}/unsubscribes/export"),
)
