"""Upstream operations of contacts (manual 4.8 to 4.12)."""

from dataclasses import dataclass

from app.api.contact_rows import ContactRow, NewContact, write_line
from app.errors import NotFound
from app.gateway.checks import CONTACT_ID, EMAIL, LIST_ID, Check, same
from app.gateway.operation import EDITED, DeadlineClass, Effect, Operation, acknowledged, by
from app.gateway.pages import Page, PageRequest, pagination
from app.resources.contacts.records import CONTACT, batch_accepted, written_fields
from app.resources.contacts.schemas import BatchAccepted, Contact, ContactByEmail, ContactChanges
from app.texts import sentence
from app.upstream.document import Document, UnexpectedForm
from app.upstream.envelope import Parameters
from app.upstream.listed import Listed
from app.upstream.values import integer, text

_SCRIPT = "mloperate.php"
_TAGS = frozenset({"contacts", "lists"})
_COUNT = frozenset({"total_num"})
_MOST_ALIKE = 500


@dataclass(frozen=True, slots=True)
class FindContacts:
    """A search: in one list, in no list (`list_id` 0) or everywhere (None)."""

    list_id: int | None
    page: PageRequest
    keyword: str | None = None


@dataclass(frozen=True, slots=True)
class FindByEmail:
    """One address: in one list, or everywhere (None)."""

    email: str
    list_id: int | None = None


@dataclass(frozen=True, slots=True)
class AddContact:
    """One contact for one list."""

    list_id: int
    contact: NewContact


@dataclass(frozen=True, slots=True)
class AddBatch:
    """Contacts for one list."""

    list_id: int
    contacts: list[ContactRow]


@dataclass(frozen=True, slots=True)
class EditContact:
    """Changes to one contact."""

    contact_id: int
    changes: ContactChanges


def _encode_find(request: FindContacts) -> Parameters:
    query = {"page": str(request.page.page), "limit": str(request.page.page_size)}
    if request.list_id is not None:
        query["list_id"] = str(request.list_id)
    if request.keyword and not request.keyword.isascii():
        # Only a body says in which character set it is.
        return Parameters(query=query, form={"keyword": request.keyword})
    return Parameters(query={**query, "keyword": request.keyword} if request.keyword else query)


def _encode_by_email(request: FindByEmail) -> Parameters:
    return _encode_find(FindContacts(request.list_id, PageRequest(page_size=_MOST_ALIKE), request.email.lower()))


def _encode_add(request: AddContact) -> Parameters:
    # The body, unlike the query, stays out of the access logs on the way.
    return Parameters(
        query={"list_id": str(request.list_id)}, form={**written_fields(request.contact), "return_id": "1"}
    )


def _encode_batch(request: AddBatch) -> Parameters:
    lines = "\n".join(write_line(contact) for contact in request.contacts)
    return Parameters(query={"list_id": str(request.list_id), "addr_type": "string"}, form={"ml_addr": lines})


def _encode_edit(request: EditContact) -> Parameters:
    return Parameters(query={"id": str(request.contact_id)}, form=written_fields(request.changes))


def _contacts(document: Document, request: FindContacts) -> Page[Contact]:
    contacts = document.records("addr", CONTACT, beside=_COUNT)
    total = document.leaf("total_num", integer)
    document.expect_rows(total, before=(request.page.page - 1) * request.page.page_size, received=len(contacts))
    return Page[Contact](data=contacts, pagination=pagination(request.page, total=total, received=len(contacts)))


def _by_email(document: Document, request: FindByEmail) -> ContactByEmail:
    """Pick the contacts that have just this address from those in which it stands."""
    found = _contacts(document, FindContacts(request.list_id, PageRequest(page_size=_MOST_ALIKE)))
    contacts = [
        contact
        for contact in found.data
        if (contact.email or "").lower() == request.email.lower() and request.list_id in {None, contact.list_id}
    ]
    if found.pagination.has_more:
        raise UnexpectedForm("more contacts than can hold one address")
    if not contacts and isinstance(found.data, Listed) and not found.data.is_whole:
        raise UnexpectedForm("contacts of which some may be missing")
    if not contacts:
        raise NotFound("There is no contact with this address.")
    return ContactByEmail(email=request.email.lower(), memberships=contacts)


def _contact(document: Document, contact_id: int) -> Contact:
    return document.one(
        "addr",
        CONTACT,
        contact_id,
        missing=sentence("There is no contact {contact_id}.", contact_id=contact_id),
        beside=_COUNT,
    )


def _added(document: Document, request: AddContact) -> Contact:
    contact = request.contact
    return Contact(
        id=document.created_id(),
        list_id=request.list_id,
        email=contact.email,
        name=contact.name or None,
        sex=contact.sex,
        birthday=contact.birthday,
        phone=contact.phone or None,
        area=contact.area or None,
        variables={name: value for name, value in contact.variables.items() if value},
        created_at=None,
    )


def _batch_accepted(document: Document, request: AddBatch) -> BatchAccepted:
    return batch_accepted(document.leaf("data", text), len(request.contacts))


FIND = Operation(
    name="contacts.find",
    section="4.8",
    script=_SCRIPT,
    do="ml-addr-list",
    root="data",
    encode=_encode_find,
    decode=_contacts,
    effect=Effect.READ,
    tags=_TAGS,
    cache=EDITED,
)

BY_EMAIL = Operation(
    name="contacts.by_email",
    section="4.8",
    script=_SCRIPT,
    do="ml-addr-list",
    root="data",
    encode=_encode_by_email,
    decode=_by_email,
    effect=Effect.READ,
    tags=_TAGS,
    cache=EDITED,
)

GET = Operation(
    name="contacts.get",
    section="4.8",
    script=_SCRIPT,
    do="ml-addr-list",
    root="data",
    encode=by("address_id"),
    decode=_contact,
    effect=Effect.READ,
    tags=_TAGS,
    cache=EDITED,
)

ADD = Operation(
    name="contacts.add",
    section="4.9.1",
    script=_SCRIPT,
    do="ml-addr-add",
    encode=_encode_add,
    decode=_added,
    effect=Effect.WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/lists/{list_id}/contacts?q=` with the address shows whether the contact is there.",
)

ADD_BATCH = Operation(
    name="contacts.add_batch",
    section="4.9.2",
    script=_SCRIPT,
    do="ml-addr-add",
    encode=_encode_batch,
    decode=_batch_accepted,
    effect=Effect.WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/lists/{list_id}/contacts` shows which contacts are there; the platform updates known addresses.",
)

EDIT = Operation(
    name="contacts.edit",
    section="4.10",
    script=_SCRIPT,
    do="ml-addr-edit",
    encode=_encode_edit,
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/contacts/{contact_id}` shows the contact as it is; sending the change again is safe.",
)

DELETE = Operation(
    name="contacts.delete",
    section="4.11",
    script=_SCRIPT,
    do="ml-addr-del",
    encode=by("id"),
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/contacts/{contact_id}` shows whether the contact is still there; deleting it again is safe.",
)

EMPTY = Operation(
    name="contacts.empty",
    section="4.12",
    script=_SCRIPT,
    do="ml-addr-empty",
    encode=by("list_id"),
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/lists/{list_id}` shows how many contacts are left; emptying it again is safe.",
)

_AT_ONCE = 20


def _find(list_id: int) -> FindContacts:
    return FindContacts(list_id, PageRequest(page_size=_AT_ONCE))


def _ids(contacts: Page[Contact]) -> list[int]:
    return [contact.id for contact in contacts.data]


def _emails(contacts: Page[Contact]) -> list[str]:
    return [contact.email for contact in contacts.data if contact.email]


CHECKS = (
    Check(
        operation=FIND,
        by=LIST_ID,
        ask=_find,
        path=f"/v1/lists/{{}}/contacts?page_size={_AT_ONCE}",
        tells={CONTACT_ID: _ids, EMAIL: _emails},
    ),
    Check(operation=GET, by=CONTACT_ID, ask=same, path="/v1/contacts/{}"),
    Check(operation=BY_EMAIL, by=EMAIL, ask=FindByEmail, path="/v1/contacts/by-email/{}"),
)
