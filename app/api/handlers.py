"""Every error on its way out: the framework's own are translated into ours, and all become problem documents."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.languages import language_of, worded
from app.api.problems import problem_response
from app.api.routing import RouteTable
from app.errors import (
    FieldError,
    GatewayError,
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
)
from app.texts import sentence

# Four for each row of the largest batch.
_MAX_FIELD_ERRORS = 2_000
_LONGEST_STEP = 100
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

_BY_STATUS: Mapping[int, type[GatewayError]] = {
    400: MalformedRequest,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
}
DETAILS = {
    404: "There is nothing at this path.",
    405: "This path does not take this method; `Allow` lists those it takes.",
}


def from_http_exception(error: HTTPException) -> GatewayError:
    """Translate the framework's own errors; one of ours that surfaced while the body was read comes out again."""
    if isinstance(error.__cause__, GatewayError):
        return error.__cause__
    kind = _BY_STATUS.get(error.status_code, MalformedRequest if error.status_code < 500 else InternalError)
    detail = DETAILS.get(error.status_code) or (
        "The request could not be read." if error.status_code < 500 else "The gateway failed."
    )
    return kind(detail, headers=error.headers) if kind is not NotFound else NotFound(detail)


def from_validation_error(error: RequestValidationError) -> GatewayError:
    """Translate the framework's list of refused fields; a body that is missing is malformed, not invalid."""
    if any(tuple(detail["loc"]) == ("body",) and detail["type"] == "missing" for detail in error.errors()):
        return MalformedRequest("The body is missing.")
    return validation_failed(error.errors())


def validation_failed(details: Sequence[Mapping[str, Any]]) -> ValidationFailed:
    """Describe refused fields, as pydantic lists them, with where they stand (`body`, `query`, …) put first."""
    errors = [
        field_error(each["loc"], each["type"], worded(each["type"], each["msg"], each.get("ctx")))
        for each in details[:_MAX_FIELD_ERRORS]
    ]
    return ValidationFailed(_fields_refused(len(details)), errors)


def _fields_refused(count: int) -> str:
    if count == 1:
        return "1 field refused."
    if count <= _MAX_FIELD_ERRORS:
        return sentence("{count} fields refused.", count=count)
    return sentence("{count} fields refused. The first {listed} are listed.", count=count, listed=_MAX_FIELD_ERRORS)


def field_error(location: Sequence[str | int], code: str, message: str) -> FieldError:
    """Describe one refused field from where the framework says it stands."""
    source, *path = location
    if source == "body":
        return FieldError("body", _pointer(path), code, message)
    name = ".".join(str(part) for part in path) or str(source)
    return FieldError("parameter", name, code, message)


def _pointer(path: Sequence[str | int]) -> str:
    # Pydantic marks a refused key of an object with a step of its own.
    steps = [str(part)[:_LONGEST_STEP] for part in path if part != "[key]"]
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def _respond(request: Request, error: GatewayError) -> Response:
    request.state.context.problem_code = error.code
    request.state.context.refusal = request.state.context.refusal or error.reason
    return problem_response(
        error,
        path=request.scope["path"],
        request_id=request.state.context.request_id,
        language=language_of(request.scope),
    )


async def on_gateway_error(request: Request, error: Exception) -> Response:
    """Answer one of our own errors."""
    return _respond(request, cast("GatewayError", error))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer an error the framework raised by status."""
    translated = from_http_exception(cast("HTTPException", error))
    if isinstance(translated, MethodNotAllowed):
        # The framework names the methods of the first route that matches the path only.
        translated.headers["Allow"] = ", ".join(_allowed_methods(request)) or translated.headers["Allow"]
    elif isinstance(translated, NotFound) and (nearest := _nearest(request)):
        translated = NotFound(
            sentence("There is nothing at this path. The nearest one is `{nearest}`.", nearest=nearest)
        )
    return _respond(request, translated)


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Answer a request whose fields were refused."""
    return _respond(request, from_validation_error(cast("RequestValidationError", error)))


def _nearest(request: Request) -> str | None:
    table: RouteTable = request.app.route_table
    path = request.scope["path"]
    return table.nearest(path) if path.startswith("/v1/") else None


def _allowed_methods(request: Request) -> list[str]:
    """Name the methods that the path takes; HEAD wherever GET is."""
    table: RouteTable = request.app.route_table
    path = request.scope["path"]
    found = {method: route for method in _METHODS if (route := table.find(method, path)[0]) is not None}
    if any(route.path == path for route in found.values()):
        # A step of this path is a name. Taken for another path's parameter, it would be refused.
        found = {method: route for method, route in found.items() if route.path == path}
    return sorted({*found, *(("HEAD",) if "GET" in found else ())})
