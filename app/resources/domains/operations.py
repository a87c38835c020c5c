"""Upstream operations of sending domains (manual 7.1 to 7.6)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo

from app.errors import Conflict, OutcomeUnknown, UpstreamRejected
from app.gateway.checks import DOMAIN, NOTHING, Check, same
from app.gateway.operation import EDITED, DeadlineClass, Effect, Operation, acknowledged
from app.gateway.pages import Collection
from app.resources.domains.schemas import AddedDomain, DomainVerification, SendingDomain
from app.upstream.document import Document, MissingId
from app.upstream.envelope import Parameters, on_behalf_of
from app.upstream.records import Combined, Element, Record
from app.upstream.values import code, identifier, integer

_SCRIPT = "bs.php"
_TAGS = frozenset({"domains"})
_STAYS = re.compile("验证.*不能删除")
_VERIFIED = "success_and_check_ok"


def _is_zero(value: str, zone: tzinfo) -> bool:
    return integer(value, zone) == 0


_DOMAIN = Record(
    SendingDomain,
    {
        "customer_id": Element("customer_id", convert=identifier),
        "domain": Element("domain"),
        "is_system": Element("customer_id", convert=_is_zero),
    },
)


_STATES = {0: "neither", 1: "verified", 2: "registered", 3: "both"}
"""Whether the domain is registered, and whether its DNS records pass (manual 7.3)."""
_REGISTERED = {"neither": False, "verified": False, "registered": True, "both": True}
_VERIFIED_BY_STATE = {"neither": False, "verified": True, "registered": False, "both": True}

_VERIFICATION = Record(
    DomainVerification,
    {
        "customer_id": Element("customer_id", convert=identifier),
        "domain_id": Element("domain_id", convert=identifier),
        "domain": Element("val"),
        "state": Element("status", convert=code(_STATES)),
        "status_code": Element("status", convert=integer),
        "message": Element("info"),
    },
    combined={
        "registered": Combined(_REGISTERED.get, "state"),
        "verified": Combined(_VERIFIED_BY_STATE.get, "state"),
    },
)


@dataclass(frozen=True, slots=True)
class NamedDomain:
    """A domain of one's own account, or of a customer that a manager acts for."""

    domain: str
    customer_id: int | None = None


def _encode_list(customer_id: int | None) -> Parameters:
    return Parameters(query=on_behalf_of(customer_id))


def _by_name(request: NamedDomain) -> Parameters:
    # The two operations for managers only (7.4, 7.5) name the customer and take no user type.
    customer = {} if request.customer_id is None else {"customer_id": str(request.customer_id)}
    return Parameters(query={**customer, "domain": request.domain})


def _encode_verify(domains: list[str]) -> Parameters:
    return Parameters(form={"domains": ",".join(domains)})


def _domains(document: Document, _customer_id: int | None) -> Collection[SendingDomain]:
    return Collection[SendingDomain](data=document.records("data", _DOMAIN))


def _added(document: Document, request: NamedDomain) -> AddedDomain:
    return AddedDomain(id=_added_id(document), domain=request.domain, verified=document.status == _VERIFIED)


def _added_for_customer(document: Document, request: NamedDomain) -> AddedDomain:
    # The manual documents no answer of 7.4, so plain success says nothing of the DNS records.
    verified = True if document.status == _VERIFIED else None
    return AddedDomain(id=_added_id(document), domain=request.domain, verified=verified)


def _added_id(document: Document) -> int | None:
    # The domain's name is enough to find it: success without an id is success.
    try:
        return document.created_id()
    except MissingId:
        return None


def _verifications(document: Document, _domains: list[str]) -> Collection[DomainVerification]:
    return Collection[DomainVerification](data=document.records("domain", _VERIFICATION))


@contextmanager
def verified_stay() -> Iterator[None]:
    """Answer a conflict where the platform says that a verified domain cannot be deleted (manual 7.6)."""
    try:
        yield
    except (UpstreamRejected, OutcomeUnknown) as error:
        if error.upstream is None or not _STAYS.search(error.upstream.message or ""):
            raise
        raise Conflict("The domain is verified; the platform does not delete it.", upstream=error.upstream) from None


LIST = Operation(
    name="domains.list",
    section="7.1",
    script=_SCRIPT,
    do="domain-list",
    root="domain_list",
    encode=_encode_list,
    decode=_domains,
    effect=Effect.READ,
    tags=_TAGS,
    cache=EDITED,
)

ADD = Operation(
    name="domains.add",
    section="7.2",
    script=_SCRIPT,
    do="customer-domain-add",
    encode=_by_name,
    decode=_added,
    effect=Effect.WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/domains` shows whether the domain is there.",
)

VERIFY = Operation(
    name="domains.verify",
    section="7.3",
    script=_SCRIPT,
    do="domain-check",
    root="domain_list",
    encode=_encode_verify,
    decode=_verifications,
    # The check changes what the platform holds: a domain that passes is verified from then on.
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="Checking again is safe.",
)

DELETE = Operation(
    name="domains.delete",
    section="7.6",
    script=_SCRIPT,
    do="customer-domain-del",
    encode=_by_name,
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS | {"mailboxes"},
    find_out="`GET /v1/domains` shows whether the domain is still there; deleting it again is safe.",
)

ADD_FOR_CUSTOMER = Operation(
    name="domains.add_for_customer",
    section="7.4",
    script=_SCRIPT,
    do="domain-add",
    encode=_by_name,
    decode=_added_for_customer,
    effect=Effect.WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS,
    find_out="`GET /v1/customers/{customer_id}/domains` shows whether the domain is there.",
)

DELETE_FOR_CUSTOMER = Operation(
    name="domains.delete_for_customer",
    section="7.5",
    script=_SCRIPT,
    do="domain-del",
    encode=_by_name,
    decode=acknowledged,
    effect=Effect.IDEMPOTENT_WRITE,
    deadline=DeadlineClass.WRITE,
    tags=_TAGS | {"mailboxes"},
    find_out="`GET /v1/customers/{customer_id}/domains` shows whether it is still there; deleting it again is safe.",
)


def _own_first(domains: Collection[SendingDomain]) -> list[str]:
    ordered = sorted(domains.data, key=lambda each: bool(each.is_system))
    return [each.domain for each in ordered if each.domain]


CHECKS = (Check(operation=LIST, by=NOTHING, ask=same, path="/v1/domains", tells={DOMAIN: _own_first}),)
