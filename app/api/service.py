"""Endpoints about the service itself; they need no key and touch no tenant's data."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from app.api.problems import ANYWHERE, problem_responses
from app.api.readiness import Readiness
from app.telemetry.metrics import Metrics

router = APIRouter(tags=["Service"], responses=problem_responses(*ANYWHERE))


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"]


class ReadinessReport(BaseModel):
    """Whether the gateway can serve, and which part cannot."""

    status: Literal["ready", "not_ready"]
    checks: Annotated[dict[str, Literal["ok", "failing"]], Field(description="Each part and how it is.")]


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
    readiness: Readiness = request.app.state.readiness
    checks = await readiness.checks()
    ready = readiness.suffices(checks)
    body = {"status": "ready" if ready else "not_ready", "checks": checks}
    return JSONResponse(body, status_code=200 if ready else 503, headers={"Cache-Control": "no-store"})


@router.get(
    "/metrics", summary="Prometheus metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
)
async def get_metrics(request: Request) -> Response:
    """Return the process's metrics in Prometheus' text format."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.render(), media_type=metrics.content_type)
