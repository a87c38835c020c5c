"""What the endpoints share: the tenants, the errors of changing them, and trying logins."""

from collections.abc import AsyncIterator
from typing import Annotated

import structlog
from fastapi import Depends, Path, Query, Request

from app.admin.probing import Prober
from app.errors import Conflict, DatabaseError, FieldError, NotFound, StateUnavailable, ValidationFailed
from app.storage.tenants.repository import TenantRepository
from app.tenants import errors as refusals
from app.tenants.destinations import Destinations
from app.tenants.models import Identifier, Tenant

log = structlog.get_logger(__name__)


async def repository_of(request: Request) -> AsyncIterator[TenantRepository]:
    """Give the tenants in the database; what goes wrong with them becomes the gateway's own errors.

    Raises:
        Conflict: tenants come from a file, or somebody else was first.
        NotFound: there is no such tenant, key or staged login.
        StateUnavailable: the database cannot be used.
    """
    repository: TenantRepository | None = request.app.state.tenant_repository
    if repository is None:
        raise Conflict("Tenants come from a file (TENANTS_URL); they are changed there.")
    try:
        yield repository
    except refusals.Missing as error:
        raise NotFound(str(error)) from None
    except refusals.RepositoryError as error:
        raise Conflict(str(error)) from None
    except DatabaseError as error:
        log.error("administration_failed", reason=str(error))
        raise StateUnavailable("The database cannot be used; whether the change was made is not known.") from None


async def prober(request: Request) -> Prober:
    """Give what tries logins."""
    return Prober(request.app.state.gateway, request.state.context)


def refuse_forbidden_hosts(request: Request, tenant: Tenant, *, within: str = "") -> None:
    """Refuse a tenant whose platform or relay lies where the gateway connects to nothing.

    Args:
        request: the request.
        tenant: the tenant as it would be.
        within: the part of the tenant that the request's body is, if it is not the whole.

    Raises:
        ValidationFailed: it does.
    """
    destinations: Destinations = request.app.state.destinations
    refusal = destinations.refusal(tenant)
    if refusal is not None:
        field, _, message = refusal.partition(": ")
        pointer = f"/{field.replace('.', '/')}".removeprefix(within)
        raise ValidationFailed(refusal, [FieldError("body", pointer, "address_not_allowed", message)])


RepositoryDep = Annotated[TenantRepository, Depends(repository_of)]
ProberDep = Annotated[Prober, Depends(prober)]
TenantId = Annotated[Identifier, Path(description="The tenant's id.", examples=["acme"])]
Force = Annotated[bool, Query(description="Save the login even if the platform refuses it or cannot be asked.")]
