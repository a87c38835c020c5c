"""Endpoints of sending domains: one's own, and for managers those of a customer."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Path
from starlette.responses import Response

from app.api.deps import GatewayDep, Manager, Writer, resource_router
from app.api.documentation import documents
from app.api.pagination import Collection
from app.api.reads import ManagerReadsDep, ReadsDep
from app.api.responses import answer, created, no_content
from app.api.types import DomainName, Id
from app.resources.domains import operations
from app.resources.domains.operations import NamedDomain
from app.resources.domains.schemas import AddedDomain, DomainsToVerify, DomainVerification, NewDomain, SendingDomain

router = resource_router("/v1", "Domains")

Name = Annotated[DomainName, Path(description="The domain's name.", examples=["news.example.com"])]
CustomerId = Annotated[Id, Path(description="The id of the customer the manager acts for.", examples=[2369])]


@router.get("/domains", **documents(operations.LIST, summary="List domains", response_model=Collection[SendingDomain]))
async def list_domains(reads: ReadsDep) -> Response:
    """Return the account's sending domains, the platform's own included."""
    return await reads.answer(operations.LIST, None)


@router.post(
    "/domains", **documents(operations.ADD, summary="Add a domain", response_model=AddedDomain, status_code=201)
)
async def add_domain(body: NewDomain, gateway: GatewayDep, caller: Writer) -> Response:
    """Add a sending domain and tell whether its DNS records are already as the platform wants them."""
    added = await gateway.call(operations.ADD, NamedDomain(body.domain), caller)
    return created(added, f"/v1/domains/{quote(body.domain)}")


@router.post(
    "/domains/verify",
    **documents(operations.VERIFY, summary="Verify domains", response_model=Collection[DomainVerification]),
)
async def verify_domains(body: DomainsToVerify, gateway: GatewayDep, caller: Writer) -> Response:
    """Have the platform look at the DNS records of domains, added or not."""
    return answer(await gateway.call(operations.VERIFY, body.domains, caller))


@router.delete("/domains/{domain}", **documents(operations.DELETE, summary="Delete a domain", status_code=204))
async def delete_domain(domain: Name, gateway: GatewayDep, caller: Writer) -> Response:
    """Delete a sending domain; one that is verified stays."""
    await gateway.call(operations.DELETE, NamedDomain(domain), caller)
    return no_content()


@router.get(
    "/customers/{customer_id}/domains",
    **documents(operations.LIST, summary="List a customer's domains", response_model=Collection[SendingDomain]),
)
async def list_customer_domains(customer_id: CustomerId, reads: ManagerReadsDep) -> Response:
    """Return a customer's sending domains, the platform's own included."""
    return await reads.answer(operations.LIST, customer_id)


@router.post(
    "/customers/{customer_id}/domains",
    **documents(
        operations.ADD_FOR_CUSTOMER, summary="Add a domain for a customer", response_model=AddedDomain, status_code=201
    ),
)
async def add_customer_domain(
    customer_id: CustomerId, body: NewDomain, gateway: GatewayDep, caller: Manager
) -> Response:
    """Add a sending domain to a customer's."""
    added = await gateway.call(operations.ADD_FOR_CUSTOMER, NamedDomain(body.domain, customer_id), caller)
    return created(added, f"/v1/customers/{customer_id}/domains/{quote(body.domain)}")


@router.delete(
    "/customers/{customer_id}/domains/{domain}",
    **documents(operations.DELETE_FOR_CUSTOMER, summary="Delete a customer's domain", status_code=204),
)
async def delete_customer_domain(
    customer_id: CustomerId, domain: Name, gateway: GatewayDep, caller: Manager
) -> Response:
    """Delete a customer's sending domain; one that is verified stays."""
    await gateway.call(operations.DELETE_FOR_CUSTOMER, NamedDomain(domain, customer_id), caller)
    return no_content()
