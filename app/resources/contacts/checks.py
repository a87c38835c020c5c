"""How the reads of contacts are tried out."""

from app.api.pagination import Page, PageRequest
from app.gateway.checks import CONTACT_ID, LIST_ID, Check, same
from app.resources.contacts.operations import FIND, GET, FindContacts
from app.resources.contacts.schemas import Contact

_AT_ONCE = 20


def _find(list_id: int) -> FindContacts:
    return FindContacts(list_id, PageRequest(page_size=_AT_ONCE))


def _ids(contacts: Page[Contact]) -> list[int]:
    return [contact.id for contact in contacts.data]


CHECKS = (
    Check(
        operation=FIND,
        by=LIST_ID,
        ask=_find,
        path=f"/v1/lists/{{}}/contacts?page_size={_AT_ONCE}",
        tells={CONTACT_ID: _ids},
    ),
    Check(operation=GET, by=CONTACT_ID, ask=same, path="/v1/contacts/{}"),
)
