"""Endpoints about the service itself; they need no key and touch no tenant's data."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response
from typing_extensions import TypeAliasType

from app.api.deps import services_of
from app.api.routing import name_of

router = APIRouter(tags=["Service"], generate_unique_id_function=name_of)
ReadinessStatus = TypeAliasType(
    "ReadinessStatus", Annotated[Literal["ready", "not_ready"], Field(description="Whether requests are served.")]
)
CheckStatus = TypeAliasType("CheckStatus", Annotated[Literal["ok", "failing"], Field(description="How a part is.")])


class Health(BaseModel):
    """The process is alive."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Annotated[Literal["ok"], Field(description="Always `ok`.")]


class ReadinessReport(BaseModel):
    """Whether the gateway can serve, and which part cannot."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "ready", "checks": {"database": "ok", "state": "ok"}}]}
    )

    status: Annotated[ReadinessStatus, Field(description="Whether requests are served.")]
    checks: Annotated[dict[str, CheckStatus], Field(description="Each part and how it is.")]


@router.get("/healthz", summary="Is the process alive?", response_model=Health)
async def get_health() -> Response:
    """Answer as long as the process can answer at all."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


@router.get(
    "/readyz",
    summary="Can the gateway serve?",
    response_model=ReadinessReport,
    responses={503: {"model": ReadinessReport, "description": "Starting, shutting down, or without its database"}},
)
async def get_readiness(request: Request) -> Response:
    """Answer 200 while requests are served, 503 before start-up has finished and once shutdown has begun.

    The platform's state plays no part: a gateway in front of an absent platform still gives honest answers. Nor does a
    lost state store take the gateway away: reads go on without it, and what needs it says so.
    """
    readiness = services_of(request).readiness
    checks = await readiness.checks()
    ready = readiness.suffices(checks)
    body = {"status": "ready" if ready else "not_ready", "checks": checks}
    return JSONResponse(body, status_code=200 if ready else 503, headers={"Cache-Control": "no-store"})


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(request: Request) -> Response:
    """Return the metrics of all workers in Prometheus' text format."""
    metrics = services_of(request).metrics
    metrics.sample()
    # A thousand series take a tenth of a second, in which requests are to go on.
    return Response(await asyncio.to_thread(metrics.render), media_type=metrics.content_type)
