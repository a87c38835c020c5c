"""Errors as RFC 9457 problem documents."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.languages import TAGS, Language, catalogue, language_of
from app.errors import (
    FieldError,
    GatewayError,
    InternalError,
    UpstreamAnswer,
    ValidationFailed,
)

MEDIA_TYPE = "application/problem+json"
_PATH_CHARACTERS = "/:@!$&'()*+,;="


class FieldProblem(BaseModel):
    """One refused field: `pointer` for the JSON body (RFC 6901), `parameter` for anything else.

    For a body of many rows `line` says which one.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "pointer": "/contacts/3/email",
                    "code": "email_address",
                    "message": "is not an e-mail address: it has no @",
                }
            ]
        },
    )

    line: Annotated[int | None, Field(description="For a body of many rows: the row's line.")] = None
    pointer: Annotated[str | None, Field(description="Where in the JSON body (RFC 6901).")] = None
    parameter: Annotated[str | None, Field(description="Which parameter or header.")] = None
    code: Annotated[str, Field(description="The stable word programs decide by.")]
    message: Annotated[str, Field(description="A sentence for people.")]


class UpstreamProblem(BaseModel):
    """What the platform itself said."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"operation": "lists.edit", "status": "error", "message": "参数错误"}]},
    )

    operation: Annotated[str, Field(description="The gateway's name of the operation.")]
    status: Annotated[str | None, Field(description="The platform's status word, or its HTTP status.")] = None
    message: Annotated[str | None, Field(description="The platform's own words.")] = None


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:umail-gateway:problem:not_found",
                    "title": "Not found",
                    "status": 404,
                    "detail": "There is no contact list 4711.",
                    "instance": "/v1/lists/4711",
                    "code": "not_found",
                    "request_id": "5b0c6c3e4a5f4b0e8d8f4f0c8a1d2e3f",
                }
            ]
        },
    )

    type: Annotated[str, Field(description="A URI that names the kind of problem; it ends in `code`.")]
    title: Annotated[str, Field(description="The kind of problem, for people.")]
    status: Annotated[int, Field(description="The HTTP status.")]
    detail: Annotated[str, Field(description="What happened, and what can be done about it.")]
    instance: Annotated[str, Field(description="The path that was asked.")]
    code: Annotated[str, Field(description="The stable word programs decide by.")]
    request_id: Annotated[str, Field(description="The request's id, by which the gateway's log finds it.")]
    errors: Annotated[list[FieldProblem] | None, Field(description="For `validation_failed`: every refused field.")] = (
        None
    )
    upstream: Annotated[UpstreamProblem | None, Field(description="What the platform said, where it spoke.")] = None


def problem_of(error: GatewayError, *, path: str, request_id: str, language: Language = "en") -> Problem:
    """Describe an error in a language."""
    words = catalogue(language).gettext
    errors = [_field_problem(each, words) for each in error.errors] if isinstance(error, ValidationFailed) else None
    return Problem(
        type=f"urn:umail-gateway:problem:{error.code}",
        title=words(error.title),
        status=error.status,
        detail=words(error.detail),
        instance=quote(path, safe=_PATH_CHARACTERS, errors="replace"),
        code=error.code,
        request_id=request_id,
        errors=errors,
        upstream=_upstream_problem(getattr(error, "upstream", None)),
    )


def problem_response(error: GatewayError, *, path: str, request_id: str, language: Language = "en") -> Response:
    """Write `error` as a problem document in a language, with its status and headers."""
    problem = problem_of(error, path=path, request_id=request_id, language=language)
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": TAGS[language],
        "Vary": "Accept-Language",
        **error.headers,
    }
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status_code=error.status, headers=headers, media_type=MEDIA_TYPE)


def internal_error() -> InternalError:
    """Return the error for what should not have happened."""
    return InternalError("The gateway failed; the request id finds the cause in its log.")


async def refuse(error: GatewayError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with an error before it reaches any endpoint."""
    context = scope["state"]["context"]
    context.problem_code = error.code
    context.refusal = context.refusal or error.reason
    response = problem_response(error, path=scope["path"], request_id=context.request_id, language=language_of(scope))
    await response(scope, receive, send)


def _field_problem(error: FieldError, words: Callable[[str], str]) -> FieldProblem:
    place = {"pointer": error.location} if error.source == "body" else {"parameter": error.location}
    return FieldProblem(line=error.line, code=error.code, message=words(error.message), **place)


def _upstream_problem(answer: UpstreamAnswer | None) -> UpstreamProblem | None:
    return UpstreamProblem(operation=answer.operation, status=answer.status, message=answer.message) if answer else None


ProblemResponses = dict[int | str, dict[str, Any]]


def problem_responses(*errors: type[GatewayError]) -> ProblemResponses:
    """Describe errors for an endpoint's OpenAPI `responses`, several codes of one status together."""
    by_status: dict[int, list[type[GatewayError]]] = {}
    for error in sorted(set(errors), key=lambda kind: kind.code):
        by_status.setdefault(error.status, []).append(error)
    return {status: _problem_response(tuple(kinds)) for status, kinds in sorted(by_status.items())}


@cache
def _problem_response(kinds: tuple[type[GatewayError], ...]) -> dict[str, Any]:
    # One for all endpoints that may meet the same: written out for each, they take 1.4 MB.
    return {
        "description": "; ".join(f"{kind.title} (`{kind.code}`)" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": _examples(kinds)}},
    }


def _examples(kinds: Iterable[type[GatewayError]]) -> dict[str, dict[str, str]]:
    return {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds}
