"""The entrance: what every request passes before anything looks at what it asks for."""

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.entrance.answer import Answer
from app.api.entrance.bodies import BodyBounds
from app.api.entrance.first_step import FirstStep
from app.api.entrance.head import RequestHead, presented_key, request_context
from app.api.entrance.limits import limited, overloaded, quotas_of, ratelimit_headers, spent_quota
from app.api.entrance.shortcut import Shortcut
from app.api.problems import internal_error, refuse
from app.api.responses import ResponseAborted
from app.api.security.address import ClientAddresses
from app.api.security.authentication import Authenticator
from app.api.timing import set_deadline
from app.errors import GatewayError, TenantDisabled
from app.gateway.context import Caller, RequestContext
from app.policies.bulkhead import Full
from app.policies.limits.model import RateLimiter
from app.policies.shedding import Shedder
from app.telemetry.access import AccessLog
from app.telemetry.observer import TelemetryObserver
from app.telemetry.requests import Finished, RequestTelemetry

log = structlog.get_logger("app.access")

_GUARDED = "/v1/"


class Entrance:
    """Gives every request its context, and lets in what may come in.

    In this order: the request's context (id, trace, address, deadline); the number of requests under way; the announced
    size of the body; who calls; the limits of the tenant and the key; the answer, if it is at hand. Only then is the
    application asked. Errors of all that become problem documents, every answer gets the headers that all have, and the
    access log gets one line. Paths outside of `/v1/` have no caller and no limits.

    It is one piece and not a chain of middleware because an answer from memory costs little else.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        first_step: FirstStep | None,
        addresses: ClientAddresses,
        shedder: Shedder,
        bodies: BodyBounds,
        authenticator: Authenticator,
        limiter: RateLimiter,
        shortcut: Shortcut,
        telemetry: RequestTelemetry,
        observer: TelemetryObserver,
        access: AccessLog,
    ) -> None:
        """Connect the parts.

        Args:
            app: answers what is let in.
            first_step: answers what needs nothing else; None where the process keeps no answers.
            addresses: tells where a request comes from.
            shedder: counts requests under way.
            bodies: keeps bodies within bounds.
            authenticator: decides who calls. An unknown key and a wrong one get the same answer in the same time.
            limiter: counts requests against the limits of tenants and keys.
            shortcut: answers reads whose answers are at hand.
            telemetry: told of every request, when it comes and when it is over.
            observer: told of refusals.
            access: writes a line for every request.
        """
        self._app = app
        self._first_step = first_step
        self._addresses = addresses
        self._shedder = shedder
        self._bodies = bodies
        self._authenticator = authenticator
        self._limiter = limiter
        self._shortcut = shortcut
        self._telemetry = telemetry
        self._observer = observer
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope; only HTTP requests pass the entrance."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = self._first_step.answer(scope) if self._first_step is not None else None
        if reply is not None:
            await send({"type": "http.response.start", "status": reply.message.status, "headers": reply.headers})
            await send({"type": "http.response.body", "body": reply.message.body})
            return
        head = RequestHead(scope["headers"])
        context = request_context(head)
        context.client_address = self._addresses.of(scope)
        scope.setdefault("state", {})["context"] = context
        self._telemetry.begin(context, scope["method"], head.get(b"traceparent"))
        answer = Answer(send, context)
        try:
            await self._handle(scope, receive, answer, head, context)
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
                await refuse(refusal, scope, receive, answer.send)
        finally:
            self._finish(scope, context, answer)

    def _finish(self, scope: Scope, context: RequestContext, answer: Answer) -> None:
        over = Finished(
            scope["method"],
            getattr(scope.get("route"), "path", "unmatched"),
            answer.status,
            answer.aborted,
            answer.seconds(),
        )
        self._access.write(context, over)
        self._telemetry.finish(context, over)

    async def _handle(
        self, scope: Scope, receive: Receive, answer: Answer, head: RequestHead, context: RequestContext
    ) -> None:
        set_deadline(context, head)
        if not scope["path"].startswith(_GUARDED):
            await self._app(scope, self._bodies.bounded(scope, head, receive), answer.send)
            return
        try:
            with self._shedder:
                await self._admit(scope, receive, answer, head, context)
        except Full as full:
            self._observer.refused(context, full.which)
            raise overloaded(full) from None

    async def _admit(
        self, scope: Scope, receive: Receive, answer: Answer, head: RequestHead, context: RequestContext
    ) -> None:
        self._bodies.check_length(scope, head)
        tenant, key = await self._authenticator.identify(presented_key(head), context.client_address)
        context.caller = caller = Caller(tenant, key.id, key.scopes, context, key.requests_per_minute)
        if not tenant.enabled:
            raise TenantDisabled("This tenant is disabled.")
        quotas = quotas_of(tenant.id, tenant.limits.requests_per_minute, key.id, key.requests_per_minute)
        decision = await self._limiter.hit(quotas)
        answer.headers = ratelimit_headers(decision.standings)
        if not decision.allowed:
            spent = spent_quota(decision)
            self._observer.refused(context, f"{spent.name}_limit")
            raise limited(spent, decision.retry_after)
        if scope["method"] != "GET" or not await self._shortcut.answer(scope, head, caller, answer.send):
            await self._app(scope, self._bodies.bounded(scope, head, receive), answer.send)
