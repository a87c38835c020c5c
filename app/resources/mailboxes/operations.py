"""Upstream operations of mailboxes (manual 7.7 to 7.10), for one's own account or, as a manager, for a customer.

The manual demands the mailbox's password in the query string; `secret_fields` keeps it out of everything else.
"""

from dataclasses import dataclass

from pydantic import SecretStr

from app.gateway.checks import DOMAIN, Check
from app.gateway.operation import EDITED, DeadlineClass, Effect, Operation, acknowledged
from app.gateway.pages import Page, PageRequest, pagination
from app.resources.mailboxes.schemas import AddedMailbox, Mailbox
from app.upstream.document import Document
from app.upstream.envelope import Parameters, on_behalf_of
from app.upstream.records import Element, Record
from app.upstream.values import identifier

_SCRIPT = "bs.php"
_TAGS = frozenset({"mailboxes"})
_SECRET = frozenset({"pwd"})

_MAILBOX = Record(
    Mailbox,
    {
        "customer_id": Element("customer_id", convert=identifier),
        "domain": Element("domain"),
        "name": Element("name"),
        "address": Element("mailbox"),
    },
)


@dataclass(frozen=True, slots=True)
class FindMailboxes:
    """A page of a domain's mailboxes."""

    domain: str
    page: PageRequest
    customer_id: int | None = None


@dataclass(frozen=True, slots=True)
class NamedMailbox:
    """One mailbox."""

    address: str
    customer_id: int | None = None


@dataclass(frozen=True, slots=True)
class MailboxWithPassword:
    """A mailbox and the password it gets."""

    address: str
    password: SecretStr
    customer_id: int | None = None


def _encode_find(request: FindMailboxes) -> Parameters:
    paging = {"page": str(request.page.page), "limit": str(request.page.page_size)}
    return Parameters(query={**on_behalf_of(request.customer_id), "domain": request.domain, **paging})


def _by_address(request: NamedMailbox) -> Parameters:
    return Parameters(query={**on_behalf_of(request.customer_id), "mailbox": request.address})


def _with_password(request: MailboxWithPassword) -> Parameters:
    password = request.password.get_secret_value()
    return Parameters(query={**on_behalf_of(request.customer_id), "mailbox": request.address, "pwd": password})


def _mailboxes(document: Document, request: FindMailboxes) -> Page[Mailbox]:
    mailboxes = document.records("data", _MAILBOX)
    return Page[Mailbox](data=mailboxes, pagination=pagination(request.page, total=None, received=len(mailboxes)))


def _added(_document: Document, request: MailboxWithPassword) -> AddedMailbox:
    return AddedMailbox(address=request.address)


FIND = Operation(
    name="mailboxes.find",
    section="7.7",
    script=_SCRIPT,
    do="mailbox-list",
    root="mailbox_list",
    encode=_encode_find,
    decode=_mailboxes,
    effect=Effect.READ,
    tags=_TAGS,
    cache=EDITED,
)

ADD = Operation(
    name="mailboxes.add",
    section="7.8",
    script=_SCRIPT,
    do="mailbox-add",
    encode=_with_password,
    decode=_added,
    effect=Effect.WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    secret_fields=_SECRET,
    find_out="The list of the domain's mailboxes shows whether it is there.",
)

DELETE = Operation(
    name="mailboxes.delete",
    section="7.9",
    script=_SCRIPT,
    do="mailbox-del",
    encode=_by_address,
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="The list of the domain's mailboxes shows whether it is still there; deleting it again is safe.",
)

SET_PASSWORD = Operation(
    name="mailboxes.set_password",
    section="7.10",
    script=_SCRIPT,
    do="mailbox-edit",
    encode=_with_password,
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    secret_fields=_SECRET,
    find_out="Setting the password again is safe.",
)

_AT_ONCE = 20


def _find(domain: str) -> FindMailboxes:
    return FindMailboxes(domain, PageRequest(page_size=_AT_ONCE))


CHECKS = (Check(operation=FIND, by=DOMAIN, ask=_find, path=f"/v1/domains/{{}}/mailboxes?page_size={_AT_ONCE}"),)
