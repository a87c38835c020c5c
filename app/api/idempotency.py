"""The promise of an idempotency key: one request is carried out once, however often it is sent."""

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.keyed_exchange import HeldAnswer, RecordedBody, head_fingerprint, idempotency_key, replay
from app.api.problems import refuse
from app.errors import (
    Conflict,
    GatewayError,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InsufficientScope,
    InternalError,
    MalformedRequest,
    NotAcceptable,
    OutcomeUnknown,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    StateUnavailable,
    UnsupportedMediaType,
    UpstreamCredentialsRejected,
    UpstreamError,
    UpstreamQuotaExhausted,
    UpstreamUnavailable,
)
from app.gateway.context import Caller, RequestContext
from app.gateway.writes import Write
from app.storage.writes.endings import Answered
from app.storage.writes.models import Found, KeyClaim, KeyUse
from app.storage.writes.store import WriteStore
from app.telemetry.observer import TelemetryObserver
from app.texts import sentence

log = structlog.get_logger(__name__)

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NOTHING_HAPPENED: frozenset[str] = frozenset(
    kind.code
    for kind in (
        MalformedRequest,
        InsufficientScope,
        NotAcceptable,
        PayloadTooLarge,
        UnsupportedMediaType,
        RateLimited,
        UpstreamQuotaExhausted,
        UpstreamError,
        UpstreamCredentialsRejected,
        UpstreamUnavailable,
        Overloaded,
        StateUnavailable,
    )
)
"""Errors after which the same key may be used again: the platform was not reached, or certainly did not act."""
_SOON = {"Retry-After": "1"}


class IdempotencyMiddleware:
    """Carries out requests with an `Idempotency-Key` once, and gives their first answer to every later one.

    A key is claimed in the transaction that journals the change, before it leaves. If the process dies after that, the
    key says that the outcome is unknown, never that it was not seen. A database that is gone refuses such requests
    before anything leaves.
    """

    def __init__(self, app: ASGIApp, *, store: WriteStore, observer: TelemetryObserver) -> None:
        self._app = app
        self._store = store
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        context: RequestContext | None = scope.get("state", {}).get("context")
        if context is None or context.caller is None or scope["method"] not in _UNSAFE:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        values = headers.getlist("idempotency-key")
        if not values:
            await self._app(scope, receive, send)
            return
        try:
            key = idempotency_key(values)
        except ValueError as error:
            await refuse(MalformedRequest(str(error)), scope, receive, send)
            return
        context.idempotency_key = key
        try:
            body = RecordedBody(receive, headers.get("content-type", ""))
            claim = KeyClaim(
                context.caller.tenant.id,
                key,
                head_fingerprint(scope, headers),
                context.request_id,
            )
            await self._once(scope, body, send, context.caller, claim)
        except GatewayError as error:
            await refuse(error, scope, receive, send)

    async def _once(self, scope: Scope, body: RecordedBody, send: Send, caller: Caller, claim: KeyClaim) -> None:
        try:
            found = await self._store.find(claim.tenant, claim.key)
        except StateUnavailable:
            self._observer.claimed(caller.context, "unavailable")
            raise
        use = found.use
        self._observer.claimed(caller.context, _outcome(use, claim))
        if use is None:
            await self._carry_out(scope, body, send, caller, claim, found)
        elif use.head != claim.head:
            raise _reused()
        elif use.status is not None:
            await _replay(use, body, send, caller)
        elif use.alive:
            raise IdempotencyInProgress("The first request with this key is still under way.", headers=_SOON)
        else:
            await self._resume(scope, body, send, caller, claim, found)

    async def _carry_out(
        self, scope: Scope, body: RecordedBody, send: Send, caller: Caller, claim: KeyClaim, found: Found
    ) -> None:
        write = caller.context.write = Write(self._store, claim, found.attempt)
        answer = HeldAnswer()
        try:
            await self._app(scope, body.receive, answer.send)
        except BaseException:
            await write.end(left=write.left)
            raise
        code = answer.problem_code()
        if code in _NOTHING_HAPPENED:
            await write.end()
        elif code == InternalError.code or (code == OutcomeUnknown.code and write.is_resumable):
            # Left as it is, the key says that a change was sent, and the next request with it finds out more.
            await write.end(left=True)
        elif write.left:
            await write.end(answered=await _answered(answer, body, caller))
        await answer.pass_on(send)

    async def _resume(
        self, scope: Scope, body: RecordedBody, send: Send, caller: Caller, claim: KeyClaim, found: Found
    ) -> None:
        """Find out what became of a request whose process died, or that ended without an answer."""
        if found.use is None or not found.use.resumable:
            raise OutcomeUnknown(
                "The first request with this key was sent to the platform, and the gateway ended before it knew what"
                " became of it. It is not repeated. Read the resource to see whether the change is there."
            )
        caller.context.write = Write(self._store, earlier=found.attempt)
        answer = HeldAnswer()
        await self._app(scope, body.receive, answer.send)
        if answer.status < 400:
            first = KeyClaim(claim.tenant, claim.key, claim.head, found.use.request_id)
            await self._store.settle(first, await _answered(answer, body, caller))
        await answer.pass_on(send)


async def _replay(use: KeyUse, body: RecordedBody, send: Send, caller: Caller) -> None:
    missing = sorted(use.scopes - {scope.value for scope in caller.scopes})
    if missing:
        detail = sentence("This needs a key with the scope `{scope}`.", scope=missing[0])
        raise InsufficientScope(detail, reason=f"scope {missing[0]} missing")
    if use.body != await body.fingerprint():
        raise _reused()
    if use.answer is None:
        raise Conflict(
            sentence(
                "The first request with this key was carried out and answered with {status}; its "
                "answer is not kept any more. It is not repeated. Read the resource to see what it has "
                "become.",
                status=use.status,
            )
        )
    await replay(use.answer, send)


async def _answered(answer: HeldAnswer, body: RecordedBody, caller: Caller) -> Answered:
    return Answered(answer.stored(), await body.fingerprint(), caller.context.scopes)


def _outcome(use: KeyUse | None, claim: KeyClaim) -> str:
    if use is None:
        return "first"
    if use.head != claim.head:
        return "reused"
    if use.status is not None:
        return "replayed"
    return "in_progress" if use.alive else "resumed"


def _reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused("This key has been used for another request; a new request needs a new key.")
