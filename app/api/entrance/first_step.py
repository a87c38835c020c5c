"""The entrance's first step: a read whose answer is at hand is answered there and then, without waiting for anything.

It asks the same objects in the same order as the rest of the entrance does, and leaves everything it has doubts about
to that. So it can be taken where nobody can wait: by the server's protocol, before there is a task for the request.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import structlog
from starlette.types import Scope

from app.api.caching import CachedMessage, cached_message
from app.api.entrance.answer import identity_headers
from app.api.entrance.head import RequestHead, presented_key, request_context
from app.api.entrance.limits import quotas_of, ratelimit_headers
from app.api.entrance.shortcut import DEMANDING, Known, KnownReads, if_none_match, takes_json
from app.api.security.address import ClientAddresses
from app.api.security.authentication import Authenticator
from app.api.security.headers import HEADERS_OF_DATA, Headers, lines_of
from app.errors import MalformedRequest
from app.gateway.context import Caller, RequestContext
from app.gateway.reading import Reading
from app.policies.cache.model import Served
from app.policies.limits.model import Decision, RateLimiter
from app.policies.shedding import Shedder
from app.telemetry.access import AccessLog
from app.telemetry.requests import Finished, RequestTelemetry
from app.tenants.store import Identity

log = structlog.get_logger("app.access")

_GUARDED = "/v1/"
TAKEN = "first_step_taken"
"""Stands in a scope's state once the step has been taken."""
_DOUBTFUL = DEMANDING | {b"cache-control", b"pragma", b"request-timeout", b"origin", b"upgrade"}
"""Headers about which the rest of the entrance, what stands around it, or the server may have something to say."""


class Reply(NamedTuple):
    """An answer, whole.

    Args:
        message: the answer.
        own: headers of this request.
    """

    message: CachedMessage
    own: Headers

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """All headers, as ASGI has them."""
        return [*HEADERS_OF_DATA.fields, *self.message.headers, *self.own]

    @property
    def lines(self) -> bytes:
        """The same headers as lines."""
        message = self.message
        return HEADERS_OF_DATA.lines + message.lasting.lines + lines_of((*message.passing, *self.own))


class _Found(NamedTuple):
    identity: Identity
    address: str | None
    spend: Callable[[], Decision]
    known: Known
    served: Served


class FirstStep:
    """Answers reads that have been asked for before, of callers who are known, from what the process holds.

    Args:
        addresses: tells where a request comes from.
        shedder: counts requests under way.
        authenticator: knows who calls.
        limiter: counts requests against the limits of tenants and keys.
        known: where request lines lead.
        reading: finds answers.
        telemetry: told of every request that is answered.
        access: writes a line for every request that is answered.
    """

    def __init__(
        self,
        *,
        addresses: ClientAddresses,
        shedder: Shedder,
        authenticator: Authenticator,
        limiter: RateLimiter,
        known: KnownReads,
        reading: Reading,
        telemetry: RequestTelemetry,
        access: AccessLog,
    ) -> None:
        self._addresses = addresses
        self._shedder = shedder
        self._authenticator = authenticator
        self._limiter = limiter
        self._known = known
        self._reading = reading
        self._telemetry = telemetry
        self._access = access

    def answer(self, scope: Scope) -> Reply | None:
        """Answer a request that has no body, if all that takes is at hand, and note that it is over.

        Where it returns None nothing has happened, but that the step is not taken again for the same scope. It raises
        nothing: what nobody foresaw is logged, and the rest of the entrance, which counts the request again, answers.
        """
        state = scope.setdefault("state", {})
        if TAKEN in state or scope["method"] != "GET" or not scope["path"].startswith(_GUARDED):
            return None
        state[TAKEN] = True
        try:
            return self._answer(scope, time.perf_counter())
        except Exception:
            log.exception("first_step_failed")
            return None

    def _answer(self, scope: Scope, began: float) -> Reply | None:
        head = RequestHead(scope["headers"])
        found = self._look(scope, head)
        if found is None:
            return None
        context = request_context(head)
        reply = self._reply(head, found, context)
        self._finish(scope, found, context, began, reply.message.status)
        return reply

    def _look(self, scope: Scope, head: RequestHead) -> _Found | None:
        if head.names(_DOUBTFUL) or not takes_json(head) or self._shedder.is_full:
            return None
        address = self._addresses.of(scope)
        try:
            identity = self._authenticator.recall(presented_key(head), address)
        except MalformedRequest:
            return None
        if identity is None or not identity.tenant.enabled:
            return None
        tenant, key = identity
        spend = self._limiter.at_hand(
            quotas_of(tenant.id, tenant.limits.requests_per_minute, key.id, key.requests_per_minute)
        )
        known = self._known.recall(scope, tenant, key.scopes)
        if spend is None or known is None:
            return None
        served = self._reading.find_local(known.planned)
        return None if served is None else _Found(identity, address, spend, known, served)

    def _reply(self, head: RequestHead, found: _Found, context: RequestContext) -> Reply:
        tenant, key = found.identity
        context.client_address = found.address
        context.caller = Caller(tenant, key.id, key.scopes, context, key.requests_per_minute)
        context.cache_outcome = found.served.outcome
        self._telemetry.begin(context, "GET", head.get(b"traceparent"))
        message = cached_message(found.served, if_none_match(head))
        return Reply(message, (*ratelimit_headers(found.spend().standings), *identity_headers(context)))

    def _finish(self, scope: Scope, found: _Found, context: RequestContext, began: float, status: int) -> None:
        scope["route"] = route = found.known.route
        over = Finished("GET", getattr(route, "path", "unmatched"), status, None, time.perf_counter() - began)
        self._access.write(context, over)
        self._telemetry.finish(context, over)
