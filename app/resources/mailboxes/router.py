"""Endpoints of mailboxes: one's own, and for managers those of a customer."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Body, Path
from starlette.responses import Response

from app.api.contact_rows import HeldAddress, HeldDomain
from app.api.deps import ManageCall, ReadCall, WriteCall, resource_router
from app.api.documentation import documents
from app.api.responses import PageRequestDep, created, no_content
from app.api.types import Id
from app.gateway.pages import Page
from app.resources.mailboxes import operations
from app.resources.mailboxes.operations import FindMailboxes, MailboxWithPassword, NamedMailbox
from app.resources.mailboxes.schemas import AddedMailbox, Mailbox, NewMailbox, NewPassword

router = resource_router("/v1", "Mailboxes")

Domain = Annotated[HeldDomain, Path(description="The domain's name.", examples=["demo.example"])]
Address = Annotated[HeldAddress, Path(description="The mailbox's address.", examples=["editor@demo.example"])]
CustomersDomain = Annotated[HeldDomain, Path(description="The domain's name.", examples=["shop.example"])]
CustomersAddress = Annotated[HeldAddress, Path(description="The mailbox's address.", examples=["news@shop.example"])]
CustomersMailbox = Annotated[
    NewMailbox,
    Body(openapi_examples={"mailbox": {"value": {"address": "editor@shop.example", "password": "a long passphrase"}}}),
]
CustomerId = Annotated[Id, Path(description="The id of the customer the manager acts for.", examples=[2371])]


@router.get(
    "/domains/{domain}/mailboxes",
    **documents(operations.FIND, summary="List a domain's mailboxes", response_model=Page[Mailbox]),
)
async def list_mailboxes(domain: Domain, pages: PageRequestDep, call: ReadCall) -> Response:
    """Return one page of a domain's mailboxes."""
    return await call.page(operations.FIND, FindMailboxes(domain, pages))


@router.post(
    "/mailboxes", **documents(operations.ADD, summary="Add a mailbox", response_model=AddedMailbox, status_code=201)
)
async def add_mailbox(body: NewMailbox, call: WriteCall) -> Response:
    """Add a mailbox to one of the account's domains; no answer shows its password again."""
    added = await call.run(operations.ADD, MailboxWithPassword(body.address, body.password))
    return created(added, f"/v1/mailboxes/{quote(added.address, safe='@')}")


@router.delete("/mailboxes/{address}", **documents(operations.DELETE, summary="Delete a mailbox", status_code=204))
async def delete_mailbox(address: Address, call: WriteCall) -> Response:
    """Delete a mailbox."""
    await call.run(operations.DELETE, NamedMailbox(address))
    return no_content()


@router.put(
    "/mailboxes/{address}/password",
    **documents(operations.SET_PASSWORD, summary="Set a mailbox's password", status_code=204),
)
async def set_mailbox_password(address: Address, body: NewPassword, call: WriteCall) -> Response:
    """Give a mailbox a new password."""
    await call.run(operations.SET_PASSWORD, MailboxWithPassword(address, body.password))
    return no_content()


@router.get(
    "/customers/{customer_id}/domains/{domain}/mailboxes",
    **documents(operations.FIND, summary="List the mailboxes of a customer's domain", response_model=Page[Mailbox]),
)
async def list_customer_mailboxes(
    customer_id: CustomerId,
    domain: CustomersDomain,
    pages: PageRequestDep,
    call: ManageCall,
) -> Response:
    """Return one page of the mailboxes of a customer's domain."""
    return await call.page(operations.FIND, FindMailboxes(domain, pages, customer_id))


@router.post(
    "/customers/{customer_id}/mailboxes",
    **documents(operations.ADD, summary="Add a mailbox for a customer", response_model=AddedMailbox, status_code=201),
)
async def add_customer_mailbox(customer_id: CustomerId, body: CustomersMailbox, call: ManageCall) -> Response:
    """Add a mailbox to one of a customer's domains; no answer shows its password again."""
    request = MailboxWithPassword(body.address, body.password, customer_id)
    added = await call.run(operations.ADD, request)
    return created(added, f"/v1/customers/{customer_id}/mailboxes/{quote(added.address, safe='@')}")


@router.delete(
    "/customers/{customer_id}/mailboxes/{address}",
    **documents(operations.DELETE, summary="Delete a customer's mailbox", status_code=204),
)
async def delete_customer_mailbox(customer_id: CustomerId, address: CustomersAddress, call: ManageCall) -> Response:
    """Delete one of a customer's mailboxes."""
    await call.run(operations.DELETE, NamedMailbox(address, customer_id))
    return no_content()


@router.put(
    "/customers/{customer_id}/mailboxes/{address}/password",
    **documents(operations.SET_PASSWORD, summary="Set the password of a customer's mailbox", status_code=204),
)
async def set_customer_mailbox_password(
    customer_id: CustomerId, address: CustomersAddress, body: NewPassword, call: ManageCall
) -> Response:
    """Give one of a customer's mailboxes a new password."""
    request = MailboxWithPassword(address, body.password, customer_id)
    await call.run(operations.SET_PASSWORD, request)
    return no_content()
