"""Endpoints of sending domains: one's own, and for managers those of a customer."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Path
from starlette.responses import Response

from app.api.contact_rows import HeldDomain
from app.api.deps import ManageCall, ReadCall, WriteCall, resource_router
from app.api.documentation import documents
from app.api.responses import answer, created, no_content
from app.api.types import Id
from app.gateway.pages import Collection
from app.resources.domains import operations
from app.resources.domains.operations import NamedDomain
from app.resources.domains.schemas import AddedDomain, DomainsToVerify, DomainVerification, NewDomain, SendingDomain

router = resource_router("/v1", "Domains")

Name = Annotated[HeldDomain, Path(description="The domain's name.", examples=["new.demo.example"])]
CustomerId = Annotated[Id, Path(description="The id of the customer the manager acts for.", examples=[2371])]


@router.get("/domains", **documents(operations.LIST, summary="List domains", response_model=Collection[SendingDomain]))
async def list_domains(call: ReadCall) -> Response:
    """Return the account's sending domains, the platform's own included."""
    return await call.read(operations.LIST, None)


@router.post(
    "/domains", **documents(operations.ADD, summary="Add a domain", response_model=AddedDomain, status_code=201)
)
async def add_domain(body: NewDomain, call: WriteCall) -> Response:
    """Add a sending domain and tell whether its DNS records are already as the platform wants them."""
    added = await call.run(operations.ADD, NamedDomain(body.domain))
    await call.watch("domain", body.domain)
    return created(added, f"/v1/domains/{quote(body.domain)}")


@router.post(
    "/domains/verify",
    **documents(operations.VERIFY, summary="Verify domains", response_model=Collection[DomainVerification]),
)
async def verify_domains(body: DomainsToVerify, call: WriteCall) -> Response:
    """Have the platform look at the DNS records of domains, added or not."""
    return answer(await call.run(operations.VERIFY, body.domains))


@router.delete("/domains/{domain}", **documents(operations.DELETE, summary="Delete a domain", status_code=204))
async def delete_domain(domain: Name, call: WriteCall) -> Response:
    """Delete a sending domain; one that is verified stays."""
    with operations.verified_stay():
        await call.run(operations.DELETE, NamedDomain(domain))
    return no_content()


@router.get(
    "/customers/{customer_id}/domains",
    **documents(operations.LIST, summary="List a customer's domains", response_model=Collection[SendingDomain]),
)
async def list_customer_domains(customer_id: CustomerId, call: ManageCall) -> Response:
    """Return a customer's sending domains, the platform's own included."""
    return await call.read(operations.LIST, customer_id)


@router.post(
    "/customers/{customer_id}/domains",
    **documents(
        operations.ADD_FOR_CUSTOMER, summary="Add a domain for a customer", response_model=AddedDomain, status_code=201
    ),
)
async def add_customer_domain(customer_id: CustomerId, body: NewDomain, call: ManageCall) -> Response:
    """Add a sending domain to a customer's."""
    added = await call.run(operations.ADD_FOR_CUSTOMER, NamedDomain(body.domain, customer_id))
    return created(added, f"/v1/customers/{customer_id}/domains/{quote(body.domain)}")


@router.delete(
    "/customers/{customer_id}/domains/{domain}",
    **documents(operations.DELETE_FOR_CUSTOMER, summary="Delete a customer's domain", status_code=204),
)
async def delete_customer_domain(customer_id: CustomerId, domain: Name, call: ManageCall) -> Response:
    """Delete a customer's sending domain; one that is verified stays."""
    with operations.verified_stay():
        await call.run(operations.DELETE_FOR_CUSTOMER, NamedDomain(domain, customer_id))
    return no_content()
