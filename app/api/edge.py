"""The edge: what every request passes before anything looks at what it asks for."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.audit import AGENTS
from app.api.authentication import AdminCredential, Authenticator
from app.api.body_bounds import BodyBounds
from app.api.caching import FastPath
from app.api.problems import internal_error, refuse
from app.api.rate_limits import count_request, overloaded
from app.api.request_head import RequestHead, TrustedProxies, bearer_token, presented_key, request_context, set_deadline
from app.api.responses import ResponseAborted
from app.api.routing import FOUND_ROUTE, ResourceRoute, RouteTable
from app.api.sending import AnswerSender, HeadAnswered
from app.errors import GatewayError, NotFound, TenantDisabled, Unauthenticated
from app.gateway.context import Caller, RequestContext
from app.policies.bulkhead import Full
from app.policies.rate_limits import RateLimiter
from app.policies.shedding import Shedder
from app.storage.usage import UsageCounter
from app.telemetry.observer import AccessLog, Finished, RequestTelemetry, TelemetryObserver
from app.tenants.models import effective_scopes
from app.tenants.store import Identity

log = structlog.get_logger("app.access")

_RESOURCES = "/v1/"
_OPERATORS = "/admin/v1/"
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Answered even where the gateway is full: they wait for nothing, and whoever asks must not be led to restart it."""

_EVERYWHERE = ("/healthz", "/readyz", "/static/", "/assets/")


class EdgeMiddleware:
    """Gives every request its context, and lets in what may come in.

    In this order: context (id, trace, address, deadline); number of requests under way; key or operators' token; the
    tenant's share; limits of tenant and key; fast path; scopes of the route; size of the body. Only then is the
    application asked. No byte of a body is read before it is known who sends it and whether they may. Errors become
    problem documents, and the access log gets one line.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        proxies: TrustedProxies,
        shedder: Shedder,
        bodies: BodyBounds,
        authenticator: Authenticator,
        operators: AdminCredential | None,
        management_port: int | None,
        limiter: RateLimiter,
        fast_path: FastPath,
        resource_metadata: str | None,
        telemetry: RequestTelemetry,
        observer: TelemetryObserver,
        access: AccessLog,
        usage: UsageCounter,
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._shedder = shedder
        self._bodies = bodies
        self._authenticator = authenticator
        self._operators = operators
        self._management_port = management_port
        self._limiter = limiter
        self._fast_path = fast_path
        self._resource_metadata = resource_metadata
        self._telemetry = telemetry
        self._observer = observer
        self._access = access
        self._usage = usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = RequestHead(scope["headers"])
        context = request_context(head)
        context.client_address = self._proxies.client_address(scope)
        context.root_path = self._proxies.root_path(scope)
        scope.setdefault("state", {})["context"] = context
        self._telemetry.begin(context, scope["method"], head.get(b"traceparent"))
        method = scope["method"]
        answer = AnswerSender(send, context, head, head_only=method == "HEAD")
        if method == "HEAD":
            # The server keeps its own scope, in which the method stays what it is.
            scope = {**scope, "method": "GET"}
        try:
            await self._handle(scope, receive, answer, head, context)
        except HeadAnswered:
            pass
        except ResponseAborted as aborted:
            # Returning with the answer unfinished makes the server cut the connection.
            answer.aborted = aborted.code
            log.warning("response_aborted", request_id=context.request_id, code=aborted.code, detail=aborted.detail)
        except Exception as error:
            refusal = error if isinstance(error, GatewayError) and not answer.status else None
            if refusal is None:
                log.exception("unhandled_error", request_id=context.request_id)
                refusal = internal_error()
            if not answer.status:
                with suppress(HeadAnswered):
                    await refuse(refusal, scope, receive, answer.send)
        finally:
            self._finish(method, scope, context, answer)

    def _finish(self, method: str, scope: Scope, context: RequestContext, answer: AnswerSender) -> None:
        over = Finished(
            method,
            getattr(scope.get("route"), "path", "unmatched"),
            answer.status,
            answer.aborted,
            answer.seconds(),
            scope["path"],
        )
        self._access.write(context, over)
        self._telemetry.finish(context, over)
        if context.caller is not None:
            self._usage.note(context.caller.tenant.id, context.caller.key_id, answer.status)

    async def _handle(
        self, scope: Scope, receive: Receive, answer: AnswerSender, head: RequestHead, context: RequestContext
    ) -> None:
        set_deadline(context, head)
        path: str = scope["path"]
        if self._management_port is not None and self._is_elsewhere(scope["server"], path):
            raise NotFound("There is nothing at this path.")
        if path in _PROBES:
            await self._app(scope, self._bodies.bounded(head, receive), answer.send)
            return
        try:
            # An answer that goes on and on, and costs next to nothing, gives its places back early.
            with ExitStack() as places:
                scope["state"]["places"] = places
                places.enter_context(self._shedder)
                if path.startswith(_RESOURCES) or path == AGENTS:
                    await self._admit(scope, receive, answer, head, context)
                    return
                if path.startswith(_OPERATORS):
                    self._admit_operator(head, context)
                await self._app(scope, self._bodies.bounded(head, receive), answer.send)
        except Full as full:
            self._observer.refused(context, full.which)
            raise overloaded(full) from None

    async def _admit(
        self, scope: Scope, receive: Receive, answer: AnswerSender, head: RequestHead, context: RequestContext
    ) -> None:
        tenant, key = await self._identify(scope, head, context)
        context.caller = caller = Caller(
            tenant, key.id, effective_scopes(key.scopes), context, key.requests_per_minute, key.subject
        )
        if not tenant.enabled:
            raise TenantDisabled("This tenant is disabled.", reason="tenant disabled")
        scope["state"]["places"].enter_context(self._shedder.share_of(tenant.id, tenant.limits.concurrency))
        await self._answer(scope, receive, answer, head, caller)

    async def _identify(self, scope: Scope, head: RequestHead, context: RequestContext) -> Identity:
        try:
            return await self._authenticator.identify(presented_key(head), context.client_address)
        except Unauthenticated as error:
            if self._resource_metadata is not None and scope["path"] == AGENTS:
                # Agents' clients find out there who gives them a token (RFC 9728, section 5.1).
                url = f"{str(Request(scope).base_url).rstrip('/')}{context.root_path}{self._resource_metadata}{AGENTS}"
                error.headers["WWW-Authenticate"] += f', resource_metadata="{url}"'
            raise

    async def _answer(
        self, scope: Scope, receive: Receive, answer: AnswerSender, head: RequestHead, caller: Caller
    ) -> None:
        await count_request(self._limiter, caller, self._observer)
        response = await self._fast_path.answer(scope, head, caller)
        if response is not None:
            await response(scope, receive, answer.send)
            return
        route, _ = scope["app"].route_table.find(scope["method"], scope["path"])
        large = False
        if isinstance(route, ResourceRoute):
            route.authorize(caller)
            large = route.takes_large_body
        scope[FOUND_ROUTE] = route
        await self._app(scope, self._bodies.bounded(head, receive, large=large), answer.send)
        self._fast_path.remember(scope, caller)

    def _is_elsewhere(self, listener: tuple[str, int | None], path: str) -> bool:
        """Tell whether a path is served by the other listener: what operators ask for has a port of its own."""
        if path.startswith(_EVERYWHERE):
            return False
        is_management = path == "/metrics" or f"{path}/".startswith("/admin/")
        return is_management != (listener[1] == self._management_port)

    def _admit_operator(self, head: RequestHead, context: RequestContext) -> None:
        if self._operators is None:
            raise NotFound("There is nothing at this path.")
        self._operators.check(bearer_token(head), context.client_address)
        context.is_operator = True


class GatewayApplication(FastAPI):
    """The web application with the edge in front of all that the framework does.

    `inner` takes requests that the gateway makes of itself; `describe_webhooks` is told the document's schemas.
    """

    inner: ASGIApp

    def __init__(
        self,
        edge: Callable[[ASGIApp], ASGIApp],
        inner: Callable[[ASGIApp], ASGIApp],
        *,
        describe_webhooks: Callable[[Mapping[str, Any]], Any],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.describe_webhooks = describe_webhooks
        self._edge = edge
        self._inner = inner
        self.router.middleware_stack = self._dispatch

    @cached_property
    def route_table(self) -> RouteTable:
        """The routes, once all of them are there."""
        return RouteTable(self.routes)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the route that the edge has found; the framework tries one after the other."""
        route: APIRoute | None = scope.get(FOUND_ROUTE)
        if route is None:
            await self.router.app(scope, receive, send)
            return
        scope["router"] = self.router
        scope.update(route.matches(scope)[1])
        await route.handle(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Build the chain; the framework calls this once."""
        stack = super().build_middleware_stack()
        # The edge answers what nobody foresaw: it knows whether anything has been answered yet.
        within = stack.app if isinstance(stack, ServerErrorMiddleware) else stack
        self.inner = self._inner(within)
        return self._edge(within)
