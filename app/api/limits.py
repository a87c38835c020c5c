"""Limits of requests: how many a tenant and a key may make, and how many the process takes on."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import refuse
from app.errors import Overloaded, RateLimited
from app.gateway.context import Caller, RequestContext
from app.gateway.gates import retry_in
from app.policies.bulkhead import Full, Shedder
from app.policies.limits.model import Decision, Quota, RateLimiter, ratelimit_headers
from app.telemetry.observer import TelemetryObserver

_MINUTE = 60


class LoadSheddingMiddleware:
    """Refuses requests beyond a number under way, before memory or latency suffer from them.

    What tells whether the process lives and how it is stays reachable.

    Args:
        app: the application.
        shedder: counts requests under way.
        observer: told of refusals.
    """

    def __init__(self, app: ASGIApp, *, shedder: Shedder, observer: TelemetryObserver) -> None:
        self._app = app
        self._shedder = shedder
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        try:
            with self._shedder.enter():
                await self._app(scope, receive, send)
        except Full as full:
            self._observer.refused(scope["state"]["context"], full.which)
            error = Overloaded(
                "More requests are under way than the gateway takes on at once.", headers=retry_in(full.retry_after)
            )
            await refuse(error, scope, receive, send)


class RateLimitMiddleware:
    """Counts requests against the limits of the tenant and of the key, and tells every answer what is left.

    Args:
        app: the application.
        limiter: counts.
        observer: told of refusals.
    """

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter, observer: TelemetryObserver) -> None:
        self._app = app
        self._limiter = limiter
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope; requests without a caller are not counted."""
        context: RequestContext | None = scope.get("state", {}).get("context")
        if context is None or context.caller is None:
            await self._app(scope, receive, send)
            return
        decision = await self._limiter.hit(_quotas(context.caller))
        headers = [
            (name.lower().encode(), value.encode()) for name, value in ratelimit_headers(decision.standings).items()
        ]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        if decision.allowed:
            await self._app(scope, receive, send_with_headers)
        else:
            spent = _spent(decision)
            self._observer.refused(context, f"{spent.name if spent else 'tenant'}_limit")
            await refuse(_limited(decision, spent), scope, receive, send_with_headers)


def _quotas(caller: Caller) -> list[tuple[str, Quota]]:
    tenant = caller.tenant
    quotas = [(tenant.id, Quota("tenant", tenant.limits.requests_per_minute, _MINUTE))]
    if caller.requests_per_minute is not None:
        quotas.append((f"{tenant.id}/{caller.key_id}", Quota("key", caller.requests_per_minute, _MINUTE)))
    return quotas


def _spent(decision: Decision) -> Quota | None:
    return next((each.quota for each in decision.standings if each.remaining <= 0), None)


def _limited(decision: Decision, spent: Quota | None) -> RateLimited:
    whose = "This key" if spent is not None and spent.name == "key" else "This tenant"
    amount = f" of {spent.amount} requests a minute" if spent is not None else ""
    return RateLimited(f"{whose} has used up its limit{amount}.", headers=retry_in(decision.retry_after))
