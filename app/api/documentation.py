"""How an endpoint appears in the OpenAPI document."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel

from app.api.openapi_answers import CACHED, headers
from app.api.problems import problem_responses
from app.api.routing import ANY_SCOPE
from app.api.tables import CSV, NDJSON, CsvTable, NdjsonTable, Rows, csv_columns
from app.errors import (
    Conflict,
    GatewayError,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    NotFound,
    OutcomeUnknown,
    UpstreamRejected,
    ValidationFailed,
)
from app.gateway.aggregates import Aggregate
from app.gateway.operation import CachePolicy, Effect, Export, Operation
from app.gateway.pages import Collection

WITH_KEY: tuple[type[GatewayError], ...] = (IdempotencyInProgress, IdempotencyKeyReused)
"""What a request with an idempotency key may meet."""
_READING: tuple[type[GatewayError], ...] = (NotFound, ValidationFailed, UpstreamRejected)
_WRITING: tuple[type[GatewayError], ...] = (*_READING, Conflict, OutcomeUnknown, *WITH_KEY)

IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a repetition of the request safe: it is carried out once, and every later request with the"
    " same key gets the first one's answer, with `Idempotency-Replayed: true`. Kept for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of an answer that the client has; if it is still right, the answer is 304.",
    "schema": {"type": "string"},
}


def documents(
    source: Operation[Any, Any] | Export[Any] | Aggregate[Any],
    *,
    kept: bool = True,
    read_back: bool = False,
    carries: Sequence[str] = (),
    any_scope: Sequence[str] = (),
    errors: Sequence[type[GatewayError]] = (),
    bodies: Mapping[str, type[BaseModel]] | None = None,
    **route: Any,
) -> dict[str, Any]:
    """Return the keyword arguments of a route that offers an operation, an export or its figures.

    Args:
        kept: whether the endpoint gives cached answers at all.
        read_back: whether the answer is the resource read again, and 204 when that fails.
        carries: headers of a successful answer beside those that all such answers carry.
        any_scope: scopes of which one will do, instead of those that the endpoint's caller must have.
        bodies: for an endpoint that reads its body by hand, the model of each media type.
    """
    operation = source.export if isinstance(source, Aggregate) else source
    reads = operation.effect is Effect.READ
    policy = source.cache if kept and not isinstance(source, Export) else None
    responses = problem_responses(*(_READING if reads else _WRITING), *errors)
    if read_back:
        responses[204] = {"description": "Done, but the result could not be read back"}
    if policy:
        responses[304] = {"description": "The client has this answer already", "headers": headers(*CACHED)}
    success = (*CACHED, *carries) if policy else carries
    if success:
        responses[route.get("status_code", 200)] = {"headers": headers(*success)}
    extra = describes(
        operation.effect, _upstream(operation), _kept(policy, operation.tags) if reads else _changed(operation.tags)
    )
    if policy:
        extra["parameters"] = [IF_NONE_MATCH]
    if any_scope:
        extra[ANY_SCOPE] = list(any_scope)
    if bodies:
        extra["requestBody"] = _request_body(bodies)
    return {"responses": responses, "openapi_extra": extra, **route}


def describes(effect: Effect, upstream: Mapping[str, Any], cache: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what an operation of the document says of itself beyond OpenAPI.

    Args:
        cache: for how long answers are kept, or which kept answers it makes invalid; by default none are kept.
    """
    extra = {"x-effect": effect.value, "x-upstream-operation": upstream, "x-cache-policy": cache or _kept(None)}
    return extra if effect is Effect.READ else {**extra, "parameters": [IDEMPOTENCY_KEY]}


def _upstream(operation: Operation[Any, Any] | Export[Any]) -> dict[str, str]:
    do = {"do": operation.do} if operation.do else {}
    return {"script": operation.script, **do, "section": operation.section}


def _kept(policy: CachePolicy[Any, Any] | None, tags: Iterable[str] = ()) -> dict[str, Any]:
    """Describe seconds for which answers are fresh and, after that, may be given stale; 0 keeps nothing."""
    if policy is None:
        return {"fresh": 0}
    settled = {"fresh_once_settled": policy.settled_lifetime} if policy.settled else {}
    return {
        "fresh": policy.lifetime,
        **settled,
        "stale_while_revalidate": policy.stale_while_revalidate,
        "stale_if_error": policy.stale_if_error,
        "not_found": policy.negative,
        "tags": sorted(tags),
    }


def _changed(tags: Iterable[str]) -> dict[str, Any]:
    return {"fresh": 0, "invalidates": sorted(tags)}


def export_documents(export: Export[Any], **route: Any) -> dict[str, Any]:
    """Return the keyword arguments of a route that passes on `export`, in each form it can be asked for."""
    model = export.source.model
    documented = documents(export, response_model=Collection[model], **route)  # type: ignore[valid-type]
    lines, table = NdjsonTable(), CsvTable(model)
    examples: Rows = cast("Rows", cast("dict[str, Any]", model.model_config["json_schema_extra"])["examples"])
    documented["responses"][200] = {
        "description": _EXPORT,
        "headers": headers("Vary", "Content-Encoding", "Content-Disposition"),
        "content": {
            NDJSON: {
                "schema": {
                    "type": "string",
                    "description": "A JSON object a line.",
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": f"#/components/schemas/{model.__name__}"},
                },
                "example": lines.rows(examples).decode(),
            },
            CSV: {
                "schema": {
                    "type": "string",
                    "description": "RFC 4180 in UTF-8, with the heading "
                    f"`{','.join(name for name, _ in csv_columns(model))}`. An empty cell is null.",
                },
                "example": (table.head() + table.rows(examples)).decode(),
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
