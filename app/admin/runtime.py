"""Endpoints for the gateway's operators, under a credential of their own; without one they do not exist."""

from typing import Annotated, Literal

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response
from typing_extensions import TypeAliasType

from app.api.deps import services_of
from app.api.problems import problem_responses
from app.api.responses import answer, no_content
from app.api.routing import strict_router
from app.api.types import PublicModel, RequestModel
from app.errors import (
    NotFound,
    ValidationFailed,
)
from app.gateway.pages import Collection
from app.policies.breaker import CircuitState
from app.tenants.models import Identifier
from app.upstream.document import DriftKind

_PATH_LENGTH = 200

Tag = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]

admin_token = HTTPBearer(scheme_name="admin_token", description="The operators' token.", auto_error=False)


async def administrator(request: Request, _token: Annotated[object, Security(admin_token)]) -> None:
    """Stand in the document; the edge has checked the operators' token before it read the request."""
    if not request.state.context.is_operator:
        raise NotFound("There is nothing at this path.")


router = strict_router(
    "/admin/v1",
    "Administration",
    dependencies=[Depends(administrator)],
    responses=problem_responses(NotFound, ValidationFailed),
)


class Purge(RequestModel):
    """What to forget: everything, a tenant's answers, or those of a tenant that depend on a tag."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{}, {"tenant": "acme"}, {"tenant": "acme", "tag": "lists"}]}
    )

    tenant: Annotated[Identifier | None, Field(description="The tenant's id; null for all tenants.")] = None
    tag: Annotated[Tag | None, Field(description="Needs a tenant.")] = None

    @model_validator(mode="after")
    def _tag_of_a_tenant(self) -> "Purge":
        if self.tag is not None and self.tenant is None:
            raise PydanticCustomError("tenant_missing", "a tag is a tenant's: name the tenant too")
        return self


BreakerStatus = TypeAliasType(
    "BreakerStatus",
    Annotated[
        Literal["closed", "open", "half_open"],
        Field(
            description="How a platform is dealt with: called as usual, left alone, or tried with one call at a time."
        ),
    ],
)


class BreakerState(PublicModel):
    """How a platform has been doing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "upstream": "http://www.bestedm.org/mm-ms/apinew/",
                    "tenant": None,
                    "state": "closed",
                    "calls": 120,
                    "failures": 1,
                    "retry_after": None,
                }
            ]
        }
    )

    upstream: Annotated[str, Field(description="The platform's base URL.")]
    tenant: Annotated[
        str | None, Field(description="The tenant whose login alone is meant; null for the platform as a whole.")
    ]
    state: Annotated[
        BreakerStatus,
        Field(description="Called as usual; left alone; tried with one call at a time."),
    ]
    calls: Annotated[int, Field(description="Calls in the window.")]
    failures: Annotated[int, Field(description="How many of them failed or were slow.")]
    retry_after: Annotated[float | None, Field(description="Seconds until it is tried again.")]


class Deviation(PublicModel):
    """How replies to an operation depart from their expected form."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"operation": "lists.list", "kind": "unknown_element", "path": "maillist/list/colour", "times": 3}
            ]
        }
    )

    operation: Annotated[str, Field(description="The gateway's name of the operation.")]
    kind: Annotated[DriftKind, Field(description="How it departs.")]
    path: Annotated[str, Field(description="Where in the reply; never what stands there.")]
    times: Annotated[int, Field(description="How often since the process began.")]


@router.post("/cache/purge", summary="Forget kept answers", status_code=204)
async def purge_cache(body: Purge, request: Request) -> Response:
    """Make kept answers invalid, in every process and replica."""
    cache = services_of(request).cache
    request.state.context.audit_targets = body.model_dump(exclude_none=True)
    await cache.purge(body.tenant, body.tag)
    return no_content()


@router.get("/breakers", summary="List circuit breakers", response_model=Collection[BreakerState])
async def list_breakers(request: Request) -> Response:
    """Return how each platform has been doing, and each tenant left alone there, as this process sees it."""
    breakers = services_of(request).breakers
    states = [
        BreakerState(
            upstream=key.platform,
            tenant=key.tenant,
            state=each.state.value,
            calls=each.calls,
            failures=each.failures,
            retry_after=each.retry_after,
        )
        for key, each in sorted(breakers.snapshot().items(), key=lambda item: (item[0].platform, item[0].tenant or ""))
        if key.tenant is None or each.state is not CircuitState.CLOSED
    ]
    return answer(Collection[BreakerState](data=states))


@router.get("/drift", summary="List deviations of the platform", response_model=Collection[Deviation])
async def list_drift(request: Request) -> Response:
    """Return how the platform's replies have departed from what is known of them, as this process sees it."""
    observer = services_of(request).observer
    found = [
        Deviation(operation=operation, kind=drift.kind, path=drift.path[:_PATH_LENGTH], times=times)
        for (operation, drift), times in observer.seen.items()
    ]
    return answer(Collection[Deviation](data=sorted(found, key=lambda each: (each.operation, each.path, each.kind))))
