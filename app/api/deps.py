"""What endpoints ask for: the caller with the scope they need, and the gateway.

Every `/v1` router also depends on `check_request`, which refuses what no endpoint declares.
"""

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer, SecurityScopes

from app.api.negotiation import accept_header, is_json, preferred
from app.api.routing import strict_router
from app.errors import (
    FieldError,
    InsufficientScope,
    MalformedRequest,
    NotAcceptable,
    UnsupportedMediaType,
    ValidationFailed,
)
from app.gateway.call import Gateway
from app.gateway.clock import PlatformClock
from app.gateway.context import Caller
from app.gateway.sends import Sends
from app.messages.submitter import Submitter
from app.policies.locks import NamedLocks
from app.tenants.models import Scope

bearer = HTTPBearer(scheme_name="bearer", description="Your API key.", auto_error=False)
api_key = APIKeyHeader(name="X-API-Key", scheme_name="api_key", description="Your API key.", auto_error=False)


async def authorized(
    request: Request,
    scopes: SecurityScopes,
    _bearer: Annotated[object, Depends(bearer)],
    _api_key: Annotated[object, Depends(api_key)],
) -> Caller:
    """Return the caller whom the entrance identified.

    Raises:
        InsufficientScope: its key lacks a scope that the endpoint needs.
    """
    caller: Caller = request.state.context.caller
    require(caller, *scopes.scopes)
    return caller


def require(caller: Caller, *scopes: str) -> None:
    """Check a caller's scopes; for endpoints where what is needed depends on what is asked.

    Raises:
        InsufficientScope: its key lacks one of them.
    """
    missing = [scope for scope in scopes if Scope(scope) not in caller.scopes]
    if missing:
        raise InsufficientScope(f"This needs a key with the scope `{missing[0]}`.")


async def writer_or_sender(caller: Annotated[Caller, Security(authorized)]) -> Caller:
    """Return a caller who may change something; what exactly, the endpoint decides by `require`.

    Raises:
        InsufficientScope: its key may neither write nor send.
    """
    if Scope.SEND not in caller.scopes:
        require(caller, "write")
    return caller


Reader = Annotated[Caller, Security(authorized, scopes=["read"])]
Writer = Annotated[Caller, Security(authorized, scopes=["write"])]
Sender = Annotated[Caller, Security(authorized, scopes=["send"])]
WriterOrSender = Annotated[Caller, Depends(writer_or_sender)]


async def manager(caller: Annotated[Caller, Security(authorized, scopes=["manage"])]) -> Caller:
    """Return a caller who may act for sub-accounts.

    Raises:
        InsufficientScope: the tenant's U-Mail account is not a manager's.
    """
    if caller.tenant.role != "manager":
        raise InsufficientScope("This needs a tenant whose U-Mail account is a manager's.")
    return caller


Manager = Annotated[Caller, Depends(manager)]


async def gateway(request: Request) -> Gateway:
    """Return the application's gateway."""
    found: Gateway = request.app.state.gateway
    return found


async def platform_clock(request: Request) -> PlatformClock:
    """Return the platform's clock."""
    found: PlatformClock = request.app.state.platform_clock
    return found


PlatformClockDep = Annotated[PlatformClock, Depends(platform_clock)]


async def locks(request: Request) -> NamedLocks:
    """Return the application's locks."""
    found: NamedLocks = request.app.state.locks
    return found


LocksDep = Annotated[NamedLocks, Depends(locks)]


async def sends(request: Request) -> Sends:
    """Return what journals sends."""
    found: Sends = request.app.state.sends
    return found


SendsDep = Annotated[Sends, Depends(sends)]
GatewayDep = Annotated[Gateway, Depends(gateway)]


async def submitter(request: Request) -> Submitter:
    """Return what hands messages to the tenants' SMTP relays."""
    found: Submitter = request.app.state.submitter
    return found


SubmitterDep = Annotated[Submitter, Depends(submitter)]


def resource_router(prefix: str, tag: str) -> APIRouter:
    """Return a router of resources: every request is checked as `check_request` says.

    Args:
        prefix: what all paths begin with.
        tag: what the document files the routes under.
    """
    return strict_router(prefix, tag, dependencies=[Depends(check_request)])


async def check_request(request: Request) -> None:
    """Refuse query parameters no endpoint declares, and representations it neither takes nor gives.

    Raises:
        ValidationFailed: an unknown or repeated query parameter.
        UnsupportedMediaType: a body that is not JSON.
        NotAcceptable: `Accept` rules out every media type that the endpoint documents.
    """
    _check_query(request)
    _check_media_types(request)


def _check_query(request: Request) -> None:
    try:
        unquote_to_bytes(request.scope["query_string"].replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise MalformedRequest("The query is not UTF-8.") from None
    declared = _query_names(request.scope["route"].dependant)
    errors = [
        FieldError("parameter", name[:100], "unknown_parameter", "is not a parameter of this resource")
        for name in request.query_params
        if name not in declared
    ]
    errors += [
        FieldError("parameter", name, "repeated_parameter", "may stand once")
        for name in declared & set(request.query_params)
        if len(request.query_params.getlist(name)) > 1
    ]
    if errors:
        raise ValidationFailed(f"{len(errors)} query parameter{'s' if len(errors) > 1 else ''} refused.", errors)


def _query_names(dependant: Dependant) -> set[str]:
    names = {field.alias for field in dependant.query_params}
    return names.union(*(_query_names(child) for child in dependant.dependencies))


def _check_media_types(request: Request) -> None:
    takes_body = request.scope["route"].body_field is not None
    if takes_body and not is_json(request.headers.get("content-type", "")):
        raise UnsupportedMediaType("The body must be application/json.", headers={"Accept": "application/json"})
    offered = _offered(request.scope["route"])
    if preferred(accept_header(request.headers), offered) is None:
        raise NotAcceptable(f"This resource is {' or '.join(offered)}.")


def _offered(route: APIRoute) -> list[str]:
    documented = route.responses.get(route.status_code or 200, {}).get("content", {})
    return list(dict.fromkeys(["application/json", *documented]))
