"""Pure ASGI middleware around every request: context and access log, body limit, authentication."""

import re
import secrets
import time
from collections.abc import Iterator, Mapping

import structlog
from starlette.datastructures import Headers
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import refuse
from app.api.responses import ResponseAborted
from app.api.security.address import ClientAddresses
from app.api.security.authentication import Authenticator
from app.api.security.headers import security_headers
from app.api.timing import server_timing, set_deadline
from app.errors import (
    GatewayError,
    InternalError,
    MalformedRequest,
    PayloadTooLarge,
    TenantDisabled,
)
from app.gateway.context import Caller, RequestContext
from app.telemetry.requests import RequestTelemetry

log = structlog.get_logger("app.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class RequestContextMiddleware:
    """Gives every request its context, its id in the answer, one log line, and a problem document if all else fails."""

    def __init__(self, app: ASGIApp, *, telemetry: RequestTelemetry, addresses: ClientAddresses) -> None:
        self._app = app
        self._telemetry = telemetry
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope; only HTTP requests have a context."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context = request_context(headers)
        context.client_address = self._addresses.of(scope)
        scope.setdefault("state", {})["context"] = context
        self._telemetry.begin(context, scope["method"], headers.get("traceparent"))
        started = time.perf_counter()
        answer = _Answer(send, context, started)
        try:
            set_deadline(context, headers)
            await self._app(scope, receive, answer.send)
        except MalformedRequest as malformed:
            await refuse(malformed, scope, receive, answer.send)
        except ResponseAborted as aborted:
            # Returning with the answer unfinished makes the server cut the connection.
            answer.aborted = aborted.code
            log.warning("response_aborted", request_id=context.request_id, code=aborted.code, detail=aborted.detail)
        except Exception:
            log.exception("unhandled_error", request_id=context.request_id)
            if not answer.status:
                error = InternalError("The gateway failed; the request id finds the cause in its log.")
                await refuse(error, scope, receive, answer.send)
        finally:
            self._finish(scope, context, answer, time.perf_counter() - started)

    def _finish(self, scope: Scope, context: RequestContext, answer: "_Answer", seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        caller = context.caller
        log.info(
            "request",
            request_id=context.request_id,
            traceparent=context.traceparent,
            method=scope["method"],
            route=route,
            status=answer.status,
            aborted=answer.aborted,
            duration_ms=round(seconds * 1000, 2),
            tenant=caller.tenant.id if caller else None,
            key=caller.key_id if caller else None,
            upstream=[
                {
                    "operation": call.operation,
                    "outcome": call.outcome,
                    "status": call.status,
                    "duration_ms": round(call.seconds * 1000, 2),
                    "attempt": call.attempt,
                }
                for call in context.upstream_calls
            ],
        )
        self._telemetry.finish(context, scope["method"], route, answer.status, answer.aborted, seconds)


class _Answer:
    def __init__(self, send: Send, context: RequestContext, started: float) -> None:
        self._send = send
        self._context = context
        self._started = started
        self.status = 0
        self.aborted: str | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", ())
            message["headers"] = [*given, *security_headers(given), *self._headers()]
        await self._send(message)

    def _headers(self) -> Iterator[tuple[bytes, bytes]]:
        yield b"x-request-id", self._context.request_id.encode("latin-1")
        yield b"traceparent", self._context.traceparent.encode("latin-1")
        if self._context.upstream_calls:
            timing = server_timing(self._context, time.perf_counter() - self._started)
            yield b"server-timing", timing.encode("latin-1")


def request_context(headers: Mapping[str, str]) -> RequestContext:
    """Build a request's context: its id and trace are taken from the caller if they are sane."""
    given = headers.get("x-request-id", "")
    traceparent = headers.get("traceparent", "")
    # All of them in one go: each call for randomness enters the kernel.
    random = secrets.token_hex(40)
    return RequestContext(
        given if _REQUEST_ID.fullmatch(given) else random[:32],
        traceparent if _TRACEPARENT.fullmatch(traceparent) else f"00-{random[32:64]}-{random[64:]}-00",
    )


class BodyLimitMiddleware:
    """Refuses bodies over a size with 413, by their announced length or, when streamed, as soon as they exceed it.

    Args:
        app: the application.
        max_bytes: the largest body.
        exceptions: the largest body of certain paths, by their template.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, exceptions: Mapping[str, int]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._exceptions = [(compile_path(template)[0], limit) for template, limit in exceptions.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = next((limit for path, limit in self._exceptions if path.match(scope["path"])), self._max_bytes)
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and int(length) > limit:
            await refuse(_too_large(limit), scope, receive, send)
            return
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, limited, send)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit} bytes.")


class AuthenticationMiddleware:
    """Decides who calls before anything of the request's body is read; covers every path under `prefix`.

    An unknown key and a wrong one get the same answer in the same time.
    """

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator, prefix: str = "/v1/") -> None:
        self._app = app
        self._authenticator = authenticator
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        context: RequestContext = scope["state"]["context"]
        try:
            key = presented_key(Headers(scope=scope))
            identity = await self._authenticator.identify(key, context.client_address)
        except GatewayError as error:
            await refuse(error, scope, receive, send)
            return
        used = identity.key
        context.caller = Caller(identity.tenant, used.id, used.scopes, context, used.requests_per_minute)
        if not identity.tenant.enabled:
            await refuse(TenantDisabled("This tenant is disabled."), scope, receive, send)
            return
        await self._app(scope, receive, send)


def presented_key(headers: Headers) -> str:
    """Return the API key of a request, from `Authorization: Bearer` or `X-API-Key`; empty when there is none.

    Raises:
        MalformedRequest: the two headers carry different keys, or one of them stands twice.
    """
    authorizations, keys = headers.getlist("authorization"), headers.getlist("x-api-key")
    if len(authorizations) > 1 or len(keys) > 1:
        raise MalformedRequest("Authorization and X-API-Key may each stand once.")
    scheme, _, token = (authorizations[0] if authorizations else "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    key = keys[0].strip() if keys else ""
    if bearer and key and bearer != key:
        raise MalformedRequest("Authorization and X-API-Key carry different keys.")
    return bearer or key
