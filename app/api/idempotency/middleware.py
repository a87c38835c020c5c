"""The promise of an idempotency key: one request is carried out once, however often it is sent."""

from collections.abc import Awaitable

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.idempotency.exchange import HeldAnswer, RecordedBody, replay
from app.api.idempotency.fingerprints import head_fingerprint, idempotency_key
from app.api.problems import refuse
from app.errors import (
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
from app.gateway.context import RequestContext
from app.policies.idempotency.claims import Claim
from app.policies.idempotency.models import ClaimLost, Phase, Record, StoreUnavailable
from app.policies.idempotency.store import IdempotencyStore
from app.telemetry.observer import TelemetryObserver

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
_LEASE = 10.0
"""Seconds after which a process that has stopped renewing a claim is taken for dead."""
_SOON = {"Retry-After": "1"}


class IdempotencyMiddleware:
    """Carries out requests with an `Idempotency-Key` once, and gives their first answer to every later one.

    A key is claimed before anything is done, and marked before the first change leaves for the platform. If the process
    dies after that, the key says that the outcome is unknown, never that it was not seen. A store that is gone refuses
    such requests before anything leaves.

    Args:
        app: the application.
        store: remembers keys.
        resumable: paths (with method) of endpoints that find out by themselves what became of a request under the same
            key, from the journal of sends; they never repeat it.
        observer: told what became of each key.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        store: IdempotencyStore,
        resumable: frozenset[tuple[str, str]],
        observer: TelemetryObserver,
    ) -> None:
        self._app = app
        self._observer = observer
        self._store = store
        self._resumable = resumable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        context: RequestContext | None = scope.get("state", {}).get("context")
        if context is None or context.caller is None or scope["method"] not in _UNSAFE:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            key = idempotency_key(headers.getlist("idempotency-key"))
        except ValueError as error:
            await refuse(MalformedRequest(str(error)), scope, receive, send)
            return
        if key is None:
            await self._app(scope, receive, send)
            return
        context.idempotency_key = key
        body = RecordedBody(receive, headers.get("content-type", ""))
        try:
            await self._once(scope, body, send, context, key)
        except GatewayError as error:
            await refuse(error, scope, receive, send)

    async def _once(self, scope: Scope, body: RecordedBody, send: Send, context: RequestContext, key: str) -> None:
        head = head_fingerprint(scope, Headers(scope=scope))
        tenant = _tenant(context)
        try:
            found = await self._store.claim(
                tenant, key, head=head, body=None, request_id=context.request_id, lease=_LEASE
            )
        except StoreUnavailable:
            self._observer.claimed(context, "unavailable")
            raise _unavailable() from None
        self._observer.claimed(context, _outcome(found, head))
        if isinstance(found, Claim):
            async with found:
                await self._carry_out(scope, body, send, context, found)
        elif found.head != head:
            raise _reused()
        elif found.phase is Phase.FINISHED:
            await self._replay(found, body, send)
        elif not found.expired_lease:
            raise IdempotencyInProgress("The first request with this key is still under way.", headers=_SOON)
        else:
            await self._resume(scope, body, send, context, found)

    async def _carry_out(
        self, scope: Scope, body: RecordedBody, send: Send, context: RequestContext, claim: Claim
    ) -> None:
        left = False

        async def before_sending() -> None:
            nonlocal left
            await _mark(claim)
            left = True

        context.before_sending = before_sending
        answer = HeldAnswer()
        try:
            await self._app(scope, body.receive, answer.send)
        except BaseException:
            if not left:
                await _quietly(claim.release(), context)
            raise
        await self._settle(scope, body, claim, answer, left=left)
        await answer.pass_on(send)

    async def _settle(self, scope: Scope, body: RecordedBody, claim: Claim, answer: HeldAnswer, *, left: bool) -> None:
        context: RequestContext = scope["state"]["context"]
        code = answer.problem_code()
        if not left or code in _NOTHING_HAPPENED:
            await _quietly(claim.release(), context)
        elif code == InternalError.code or (code == OutcomeUnknown.code and self._is_resumable(scope)):
            # Left as it is, the key says that a change was sent, and the next request with it finds out more.
            return
        else:
            await _quietly(claim.finish(answer.stored(), body=await body.fingerprint()), context)

    async def _replay(self, record: Record, body: RecordedBody, send: Send) -> None:
        if record.body is not None and record.body != await body.fingerprint():
            raise _reused()
        if record.answer is None:
            raise _unavailable()
        await replay(record.answer, send)

    async def _resume(
        self, scope: Scope, body: RecordedBody, send: Send, context: RequestContext, record: Record
    ) -> None:
        """Find out what became of a request whose process died, or that ended without an answer."""
        if not self._is_resumable(scope):
            raise OutcomeUnknown(
                "The first request with this key was sent to the platform, and the gateway ended before it knew what"
                " became of it. It is not repeated. Read the resource to see whether the change is there."
            )
        answer = HeldAnswer()
        await self._app(scope, body.receive, answer.send)
        if answer.status < 400:
            settling = self._store.settle(
                _tenant(context), context.idempotency_key or "", answer.stored(), request_id=record.request_id
            )
            await _quietly(settling, context)
        await answer.pass_on(send)

    def _is_resumable(self, scope: Scope) -> bool:
        return (scope["method"], scope["path"]) in self._resumable


def _outcome(found: Claim | Record, head: str) -> str:
    if isinstance(found, Claim):
        return "first"
    if found.head != head:
        return "reused"
    if found.phase is Phase.FINISHED:
        return "replayed"
    return "resumed" if found.expired_lease else "in_progress"


async def _quietly(writing: Awaitable[object], context: RequestContext) -> None:
    """Write to the store what does not change the answer: without it, the key says that the outcome is unknown."""
    try:
        await writing
    except (StoreUnavailable, ClaimLost):
        log.warning("idempotency_answer_not_kept", request_id=context.request_id)


async def _mark(claim: Claim) -> None:
    try:
        await claim.sending()
    except StoreUnavailable:
        raise _unavailable() from None
    except ClaimLost:
        raise IdempotencyInProgress("Another request with this key has taken over.", headers=_SOON) from None


def _tenant(context: RequestContext) -> str:
    if context.caller is None:
        raise ValueError("a request without a caller has no tenant")
    return context.caller.tenant.id


def _reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused("This key has been used for another request; a new request needs a new key.")


def _unavailable() -> StateUnavailable:
    return StateUnavailable(
        "What an idempotency key promises cannot be kept at the moment: the store is gone. Nothing was sent.",
        headers={"Retry-After": "5"},
    )
