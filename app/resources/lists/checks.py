"""How the reads of contact lists are tried out."""

from app.api.pagination import Collection
from app.gateway.checks import LIST_ID, NOTHING, Check, same
from app.resources.lists.operations import GET, LIST
from app.resources.lists.schemas import ContactList


def _ids(lists: Collection[ContactList]) -> list[int]:
    return [each.id for each in sorted(lists.data, key=_worth, reverse=True)]


def _worth(each: ContactList) -> tuple[bool, int]:
    return bool(each.contact_count), each.id


CHECKS = (
    Check(operation=LIST, by=NOTHING, ask=same, path="/v1/lists", tells={LIST_ID: _ids}),
    Check(operation=GET, by=LIST_ID, ask=same, path="/v1/lists/{}"),
)
