"""What the operators' endpoints share: the credential, the router, the tenants, and trying logins."""

from collections.abc import AsyncIterator
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Query, Request

from app.admin.runtime import administrator
from app.admin.schemas import Probe
from app.api.deps import services_of
from app.api.problems import problem_responses
from app.api.routing import strict_router
from app.errors import (
    Conflict,
    DatabaseError,
    FieldError,
    GatewayError,
    NotFound,
    StateUnavailable,
    UpstreamCredentialsRejected,
    ValidationFailed,
)
from app.gateway.call import Gateway
from app.gateway.context import Caller, RequestContext
from app.resources.account.operations import GET_ACCOUNT
from app.storage.tenants import models as refusals
from app.storage.tenants.repository import TenantRepository
from app.tenants.models import Identifier, Scope, Tenant

_KEY = "admin"


class Prober:
    """Tries logins."""

    def __init__(self, gateway: Gateway, context: RequestContext) -> None:
        self._gateway = gateway
        self._context = context

    async def probe(self, tenant: Tenant) -> Probe:
        """Return what the platform says to a tenant's login."""
        caller = Caller(tenant, _KEY, frozenset({Scope.READ}), self._context)
        try:
            await self._gateway.call(GET_ACCOUNT, None, caller)
        except UpstreamCredentialsRejected as error:
            return Probe(outcome="refused", detail=error.detail)
        except GatewayError as error:
            return Probe(outcome="unknown", detail=error.detail)
        return Probe(outcome="accepted")


def admin_router(prefix: str) -> APIRouter:
    """Return a router whose every endpoint needs the operators' token."""
    return strict_router(
        f"/admin/v1{prefix}",
        "Administration",
        dependencies=[Depends(administrator)],
        responses=problem_responses(NotFound, Conflict, ValidationFailed),
    )


log = structlog.get_logger(__name__)


async def repository_of(request: Request) -> AsyncIterator[TenantRepository]:
    """Give the tenants in the database; what goes wrong with them becomes the gateway's own errors."""
    repository = services_of(request).tenant_repository
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
    return Prober(services_of(request).gateway, request.state.context)


def refuse_forbidden_hosts(request: Request, tenant: Tenant, *, within: str = "") -> None:
    """Refuse a tenant whose platform or relay lies where the gateway connects to nothing."""
    refusal = services_of(request).destinations.refusal(tenant)
    if refusal is not None:
        field, _, message = refusal.partition(": ")
        pointer = f"/{field.replace('.', '/')}".removeprefix(within)
        raise ValidationFailed(refusal, [FieldError("body", pointer, "address_not_allowed", message)])


RepositoryDep = Annotated[TenantRepository, Depends(repository_of)]
ProberDep = Annotated[Prober, Depends(prober)]
TenantId = Annotated[Identifier, Path(description="The tenant's id.", examples=["acme"])]
Force = Annotated[bool, Query(description="Save the login even if the platform refuses it or cannot be asked.")]
