"""What the routers of `/admin/v1` have in common."""

from fastapi import APIRouter, Depends

from app.admin.runtime import administrator
from app.api.problems import ANYWHERE, problem_responses
from app.api.routing import strict_router
from app.errors import (
    Conflict,
    NotFound,
    RateLimited,
    StateUnavailable,
    Unauthenticated,
    UnsupportedMediaType,
    ValidationFailed,
)


def admin_router(prefix: str) -> APIRouter:
    """Return a router whose every endpoint needs the operators' token."""
    return strict_router(
        f"/admin/v1{prefix}",
        "Administration",
        dependencies=[Depends(administrator)],
        responses=problem_responses(
            *ANYWHERE,
            Unauthenticated,
            NotFound,
            Conflict,
            UnsupportedMediaType,
            ValidationFailed,
            RateLimited,
            StateUnavailable,
        ),
    )
