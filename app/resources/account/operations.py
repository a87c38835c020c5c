"""Upstream operations of the account (manual, chapter 1)."""

from app.gateway.checks import NOTHING, Check, same
from app.gateway.operation import EDITED, SLOW, Effect, Operation, no_parameters
from app.resources.account.schemas import Account, Service
from app.upstream.document import Document
from app.upstream.records import Element, Record
from app.upstream.values import day, in_units, integer, word

_ACCOUNT = Record(
    Account,
    {
        "id": Element("id", convert=integer, required=True),
        "username": Element("username"),
        "company": Element("company"),
        "contact": Element("contact"),
        "phone": Element("phone"),
        "mobile": Element("mobile"),
        "email": Element("email"),
        "im": Element("im"),
        "address": Element("address"),
    },
)

_SERVICE = Record(
    Service,
    {
        "account_id": Element("id", convert=integer, required=True),
        "status": Element("service_status", convert=word({"enabled", "disabled"})),
        "quota_type": Element("service_type", convert=word({"all": "total", "day": "daily"})),
        "delivery_mode": Element("send_type", convert=word({"remote", "local"})),
        "starts_on": Element("beginning_date", convert=day),
        "expires_on": Element("expiration_date", convert=day),
        "quota_available": Element("qty_available", convert=in_units(integer, "封")),
        "quota_purchased": Element("qty_buytotal", convert=in_units(integer, "封")),
    },
)


def _account(document: Document, _request: None) -> Account:
    return document.record(_ACCOUNT)


def _service(document: Document, _request: None) -> Service:
    return document.record(_SERVICE)


GET_ACCOUNT = Operation(
    name="account.get",
    section="1.1",
    script="account.php",
    do="customer-info",
    root="customer",
    encode=no_parameters,
    decode=_account,
    effect=Effect.READ,
    tags=frozenset({"account"}),
    cache=SLOW,
)

GET_SERVICE = Operation(
    name="account.service",
    section="1.2",
    script="account.php",
    do="service-info",
    root="service",
    encode=no_parameters,
    decode=_service,
    effect=Effect.READ,
    tags=frozenset({"account", "quota"}),
    cache=EDITED,
)

CHECKS = (
    Check(operation=GET_ACCOUNT, by=NOTHING, ask=same, path="/v1/account"),
    Check(operation=GET_SERVICE, by=NOTHING, ask=same, path="/v1/account/service"),
)
