"""How an endpoint appears in the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from app.api.pagination import Collection
from app.api.problems import ANYWHERE, problem_responses
from app.api.tables import CSV, NDJSON, csv_columns
from app.errors import (
    Conflict,
    GatewayError,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InsufficientScope,
    NotAcceptable,
    NotCached,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    RateLimited,
    StateUnavailable,
    TenantDisabled,
    Unauthenticated,
    UnsupportedMediaType,
    UpstreamCredentialsRejected,
    UpstreamError,
    UpstreamMalformed,
    UpstreamQuotaExhausted,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
    ValidationFailed,
)
from app.gateway.operation import Effect, Export, Operation

WITH_API_KEY: tuple[type[GatewayError], ...] = (
    *ANYWHERE,
    Unauthenticated,
    InsufficientScope,
    TenantDisabled,
    NotAcceptable,
    ValidationFailed,
    RateLimited,
    Overloaded,
)
"""What any request under `/v1` may meet."""
_ALWAYS: tuple[type[GatewayError], ...] = (
    *WITH_API_KEY,
    NotFound,
    UpstreamRejected,
    UpstreamQuotaExhausted,
    UpstreamCredentialsRejected,
    UpstreamUnavailable,
    StateUnavailable,
)
_READING: tuple[type[GatewayError], ...] = (UpstreamMalformed, UpstreamError, UpstreamTimeout)
WITH_KEY: tuple[type[GatewayError], ...] = (IdempotencyInProgress, IdempotencyKeyReused, StateUnavailable)
"""What a request with an idempotency key may meet."""
_WRITING: tuple[type[GatewayError], ...] = (
    Conflict,
    UnsupportedMediaType,
    UpstreamMalformed,
    UpstreamError,
    OutcomeUnknown,
    *WITH_KEY,
)


IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a repetition of the request safe: it is carried out once, and every later request with the"
    " same key gets the first one's answer, with `Idempotency-Replayed: true`. Kept for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
CACHE_HEADERS: dict[str, Any] = {
    name: {"description": text, "schema": {"type": kind}}
    for name, kind, text in (
        ("ETag", "string", "What `If-None-Match` may name (RFC 9110)."),
        ("Cache-Control", "string", "For how long the gateway keeps the answer; clients ask again before each use."),
        ("Age", "integer", "Seconds since the platform gave the answer."),
        ("Cache-Status", "string", "Where the answer comes from (RFC 9211)."),
    )
}


def documents(
    operation: Operation[Any, Any] | Export[Any],
    *,
    reads_first: bool = False,
    read_back: bool = False,
    bodies: Mapping[str, type[BaseModel]] | None = None,
    **route: Any,
) -> dict[str, Any]:
    """Return the keyword arguments of a route that offers `operation`.

    Args:
        operation: gives the errors, the effect and the manual's section.
        reads_first: whether a write begins with reading the resource, so that reading may fail too.
        read_back: whether the answer is the resource read again, and 204 when that fails.
        bodies: for an endpoint that reads its body by hand, the model of each media type it takes.
        route: what the route says beside: `summary`, `response_model`, `status_code`…
    """
    reads = operation.effect is Effect.READ
    upstream = {"operation": operation.do or operation.script, "script": operation.script, "section": operation.section}
    errors = _READING if reads else _WRITING
    policy = None if isinstance(operation, Export) else operation.cache
    extra_errors = ((NotCached,) if policy else ()) + (_READING if reads_first else ())
    responses = problem_responses(*dict.fromkeys((*_ALWAYS, *errors, *extra_errors)))
    if read_back:
        responses[204] = {"description": "Done, but the result could not be read back"}
    extra: dict[str, Any] = {"x-effect": operation.effect.value, "x-upstream": upstream}
    if policy:
        responses[304] = {"description": "The client has this answer already", "headers": CACHE_HEADERS}
        responses[200] = {"headers": CACHE_HEADERS}
        extra["x-cache"] = {"lifetime": policy.lifetime, "tags": sorted(operation.tags)}
    if not reads:
        extra["parameters"] = [IDEMPOTENCY_KEY]
    if bodies:
        extra["requestBody"] = _request_body(bodies)
    return {"responses": responses, "openapi_extra": extra, **route}


def export_documents(export: Export[Any], **route: Any) -> dict[str, Any]:
    """Return the keyword arguments of a route that passes on `export`, in each form it can be asked for.

    Args:
        export: gives the public model of a row, the errors and the manual's section.
        route: what the route says beside.
    """
    model = export.source.model
    documented = documents(export, response_model=Collection[model], **route)  # type: ignore[valid-type]
    documented["responses"][200] = {
        "description": _EXPORT,
        "headers": {"Vary": {"description": "`Accept, Accept-Encoding`", "schema": {"type": "string"}}},
        "content": {
            NDJSON: {
                "schema": {
                    "type": "string",
                    "description": "A JSON object a line.",
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": f"#/components/schemas/{model.__name__}"},
                }
            },
            CSV: {
                "schema": {
                    "type": "string",
                    "description": "RFC 4180 in UTF-8, with the heading "
                    f"`{','.join(name for name, _ in csv_columns(model))}`. An empty cell is null.",
                }
            },
        },
    }
    return documented


_EXPORT = (
    "The records, passed on as the platform writes them. The answer is whole only if it ends in good order: JSON is "
    "closed, and the transfer is not aborted."
)


def _request_body(bodies: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    # The models stand here in full; `app.api.openapi` moves them to the components.
    reference = "#/components/schemas/{model}"
    schemas = {media_type: model.model_json_schema(ref_template=reference) for media_type, model in bodies.items()}
    return {"required": True, "content": {media_type: {"schema": schema} for media_type, schema in schemas.items()}}
