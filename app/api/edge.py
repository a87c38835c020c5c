"""The edge: what every request passes before anything looks at what it asks for."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from math import ceil
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.audit import AGENTS
from app.api.authentication import AdminCredential, Authenticator
from app.api.body_bounds import BodyBounds
from app.api.caching import FastPath
from app.api.problems import internal_error, refuse
from app.api.proxies import TrustedProxies
from app.api.request_head import RequestHead, bearer_token, presented_key, request_context, set_deadline
from app.api.responses import ResponseAborted
from app.api.routing import ResourceRoute, RouteTable
from app.api.sending import AnswerSender, HeadAnswered, Headers
from app.errors import GatewayError, NotFound, Overloaded, RateLimited, TenantDisabled, Unauthenticated
from app.gateway.context import Caller, RequestContext
from app.gateway.failures import retry_in
from app.policies.bulkhead import Full
from app.policies.rate_limits import Decision, Quota, QuotaStatus, RateLimiter
from app.policies.shedding import Shedder
from app.telemetry.observer import AccessLog, Finished, RequestTelemetry, TelemetryObserver
from app.tenants.models import effective_scopes
from app.tenants.store import Identity
from app.texts import sentence

_MINUTE = 60

Quotas = tuple[tuple[str, Quota], ...]


@lru_cache(maxsize=10_000)
def quotas_of(tenant_id: str, of_tenant: int, key_id: str, of_key: int | None) -> Quotas:
    """Return the quotas that a request counts against, by subject.

    Args:
        tenant_id: whose request it is.
        of_tenant: requests a minute of the tenant.
        key_id: the key it carries.
        of_key: requests a minute of the key; None for none of its own.
    """
    tenant = tenant_id, Quota("tenant", of_tenant, _MINUTE)
    if of_key is None:
        return (tenant,)
    return tenant, (f"{tenant_id}/{key_id}", Quota("key", of_key, _MINUTE))


def ratelimit_headers(statuses: Sequence[QuotaStatus]) -> Headers:
    """Write how quotas stand (IETF draft httpapi-ratelimit-headers): the policy, and what is left of it."""
    if not statuses:
        return ()
    left = ", ".join([f'"{each.quota.name}";r={each.remaining};t={ceil(each.reset)}' for each in statuses])
    return (
        (b"ratelimit-policy", _policy(tuple([each.quota for each in statuses]))),
        (b"ratelimit", left.encode()),
    )


@lru_cache(maxsize=10_000)
def _policy(quotas: tuple[Quota, ...]) -> bytes:
    return ", ".join(f'"{each.name}";q={each.amount};w={each.seconds}' for each in quotas).encode()


async def count_request(caller: Caller, limiter: RateLimiter, observer: TelemetryObserver) -> Decision:
    """Count a request against the limits of its tenant and its key."""
    tenant = caller.tenant
    quotas = quotas_of(tenant.id, tenant.limits.requests_per_minute, caller.key_id, caller.requests_per_minute)
    decision = await limiter.hit(quotas)
    if decision.spent is not None:
        observer.refused(caller.context, f"{decision.spent.name}_limit")
    return decision


def limited(spent: Quota, retry_after: float) -> RateLimited:
    """Return the error for a request that a quota has no place for, now and for so many seconds."""
    detail = sentence(
        "{whose} has used up its limit of {limit} requests a minute.",
        whose=sentence("This key" if spent.name == "key" else "This tenant"),
        limit=spent.amount,
    )
    return RateLimited(detail, headers=retry_in(retry_after))


def overloaded(full: Full) -> Overloaded | RateLimited:
    """Return the error for a request beyond those that the gateway takes on at once, in all or of one tenant."""
    if full.which == "tenant_requests":
        return RateLimited("This tenant has as many requests under way as it may.", headers=retry_in(full.retry_after))
    return Overloaded(
        "More requests are under way than the gateway takes on at once.", headers=retry_in(full.retry_after)
    )


log = structlog.get_logger("app.access")

_RESOURCES = "/v1/"
_OPERATORS = "/admin/v1/"
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Answered even where the gateway is full: they wait for nothing, and whoever asks must not be led to restart it."""


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
        limiter: RateLimiter,
        fast_path: FastPath,
        resource_metadata: str | None,
        telemetry: RequestTelemetry,
        observer: TelemetryObserver,
        access: AccessLog,
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._shedder = shedder
        self._bodies = bodies
        self._authenticator = authenticator
        self._operators = operators
        self._limiter = limiter
        self._fast_path = fast_path
        self._resource_metadata = resource_metadata
        self._telemetry = telemetry
        self._observer = observer
        self._access = access

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

    async def _handle(
        self, scope: Scope, receive: Receive, answer: AnswerSender, head: RequestHead, context: RequestContext
    ) -> None:
        set_deadline(context, head)
        path: str = scope["path"]
        if path in _PROBES:
            await self._app(scope, self._bodies.bounded(head, receive), answer.send)
            return
        try:
            with self._shedder:
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
        with self._shedder.share_of(tenant.id, tenant.limits.concurrency):
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
        await self._count(caller, answer)
        response = await self._fast_path.answer(scope, head, caller)
        if response is not None:
            await response(scope, receive, answer.send)
            return
        route, _ = scope["app"].route_table.find(scope["method"], scope["path"])
        large = False
        if isinstance(route, ResourceRoute):
            route.authorize(caller)
            large = route.takes_large_body
        await self._app(scope, self._bodies.bounded(head, receive, large=large), answer.send)
        self._fast_path.remember(scope, caller)

    async def _count(self, caller: Caller, answer: AnswerSender) -> None:
        decision = await count_request(caller, self._limiter, self._observer)
        answer.headers = ratelimit_headers(decision.statuses)
        if decision.spent is not None:
            raise limited(decision.spent, decision.retry_after)

    def _admit_operator(self, head: RequestHead, context: RequestContext) -> None:
        if self._operators is None:
            raise NotFound("There is nothing at this path.")
        self._operators.check(bearer_token(head), context.client_address)
        context.is_operator = True


class GatewayApplication(FastAPI):
    """The web application with the edge in front of all that the framework does.

    `inner` takes requests that the gateway makes of itself.
    """

    inner: ASGIApp

    def __init__(self, edge: Callable[[ASGIApp], ASGIApp], inner: Callable[[ASGIApp], ASGIApp], **options: Any) -> None:
        super().__init__(**options)
        self._edge = edge
        self._inner = inner

    @cached_property
    def route_table(self) -> RouteTable:
        """The routes, once all of them are there."""
        return RouteTable(self.routes)

    def build_middleware_stack(self) -> ASGIApp:
        """Build the chain; the framework calls this once."""
        stack = super().build_middleware_stack()
        # The edge answers what nobody foresaw: it knows whether anything has been answered yet.
        within = stack.app if isinstance(stack, ServerErrorMiddleware) else stack
        self.inner = self._inner(within)
        return self._edge(within)
