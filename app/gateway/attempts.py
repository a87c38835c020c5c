"""Everything between a call and the wire: admission, and trying again where that does no harm.

Each try passes the same gates in the same order: the tenant's login is not known to be refused; the tenant and the
platform have a slot free; the platform's circuit breaker is closed; the quota of campaigns has one left. What a try
ends in is told to the gates it has passed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from app.errors import GatewayError, UpstreamCredentialsRejected, UpstreamUnavailable
from app.gateway.context import Caller, CallTrace, RequestContext, UpstreamCall
from app.gateway.failures import Called
from app.gateway.gates import breaker_open, campaigns_spent, login_paused, no_slot
from app.gateway.judgement import is_repeatable, may_repeat, verdict, wait_hint
from app.gateway.operation import DeadlineClass
from app.policies.breaker import Admission, BreakerOpen, Breakers, Verdict
from app.policies.bulkhead import Bulkheads, Full
from app.policies.credentials import CredentialGuard, CredentialsPaused
from app.policies.limits.campaigns import CampaignQuota
from app.policies.retry import Retrier
from app.tenants.fingerprints import Fingerprints

Result = TypeVar("Result")

_BULK = frozenset({DeadlineClass.EXPORT, DeadlineClass.UPLOAD})
_LAST_TRY = 3
_SHORTEST_TRY = 1.0


class Observer(Protocol):
    """Told of every exchange with the platform, and of what comes before it."""

    def exchanged(self, call: UpstreamCall) -> None:
        """Called once an exchange has ended, well or badly."""

    def waited(self, context: RequestContext, which: str, seconds: float) -> None:
        """Called when a call has waited for a slot, the `tenant`'s or the `upstream`'s, whether or not it got one."""

    def refused(self, context: RequestContext, reason: str) -> None:
        """Called when a gate was closed: `login`, `tenant_slots`, `upstream_slots`, `breaker` or `campaigns`."""

    def retrying(self, context: RequestContext, operation: str, outcome: str, seconds: float) -> None:
        """Called when a try has ended in an error and there will be another one, after so many seconds."""


@dataclass(frozen=True, slots=True)
class Gates:
    """What every try must pass.

    Args:
        credentials: stops asking with a login that keeps being refused.
        bulkheads: calls at once, per tenant and per platform.
        breakers: one for each platform.
        campaigns: the platform's quota of campaigns.
        fingerprints: tells logins apart.
    """

    credentials: CredentialGuard
    bulkheads: Bulkheads
    breakers: Breakers
    campaigns: CampaignQuota
    fingerprints: Fingerprints


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the time of a call as a whole is over.

    Args:
        at: on the event loop's clock.
        hurried: whether the caller set it, shorter than the gateway would have.
    """

    at: float
    hurried: bool = False

    def of_try(self, repeatable: bool, number: int) -> float:
        """Return when one try's time is over: a repeatable call leaves half of what is left for another try."""
        if not repeatable or number >= _LAST_TRY:
            return self.at
        now = asyncio.get_running_loop().time()
        return now + max((self.at - now) / 2, min(_SHORTEST_TRY, self.at - now))


@dataclass(slots=True)
class Try:
    """One try of a call.

    Args:
        operation: its name.
        number: which try it is, from 1.
        deadline: when its time is over, on the event loop's clock.
        admission: takes the verdict on the platform.
        started: when it began, on the clock that durations are measured by.
        status: the HTTP status, once there is one.
        outcome: `ok`, or the code of the error it ended in.
        trace: where it is told of, if the request is traced.
    """

    operation: str
    number: int
    deadline: float
    admission: Admission
    started: float = field(default_factory=time.perf_counter)
    status: int | None = None
    outcome: str = "aborted"
    trace: CallTrace | None = None

    def answered(self) -> None:
        """Tell the circuit breaker that the platform works, for a reply that is still to be passed on for long."""
        self.admission.done(Verdict.SUCCESS, self.seconds())

    def seconds(self) -> float:
        """Return how long it has been under way."""
        return time.perf_counter() - self.started


class Attempts:
    """Carries out calls, in as many tries as are safe and worth while.

    Args:
        gates: what every try must pass.
        retrier: decides on further tries.
        observer: told of every try.
    """

    def __init__(self, gates: Gates, retrier: Retrier, observer: Observer) -> None:
        self._gates = gates
        self._retrier = retrier
        self._observer = observer

    async def run(
        self, operation: Called, caller: Caller, deadline: Deadline, once: Callable[[int], Awaitable[Result]]
    ) -> Result:
        """Return what `once` returns, called with the number of the try until it succeeds or must not go on.

        Raises:
            GatewayError: the last try's.
        """

        def waiting(error: Exception, seconds: float) -> None:
            outcome = error.code if isinstance(error, GatewayError) else "aborted"
            self._observer.retrying(caller.context, operation.name, outcome, seconds)

        return await self._retrier.run(
            once,
            upstream=caller.tenant.upstream.base_url,
            deadline=deadline.at,
            repeatable=lambda error: may_repeat(operation, error),
            wait_hint=wait_hint,
            waiting=waiting,
        )

    @asynccontextmanager
    async def one(self, operation: Called, caller: Caller, deadline: Deadline, number: int) -> AsyncIterator[Try]:
        """Pass the gates and make one try; what it ends in is told to the gates.

        Raises:
            GatewayError: a gate is closed; nothing was sent.
        """
        async with AsyncExitStack() as passed:
            admission = await self._pass_gates(passed, operation, caller, deadline)
            tried = Try(operation.name, number, deadline.of_try(is_repeatable(operation), number), admission)
            if caller.context.trace is not None:
                tried.trace = caller.context.trace.calling(operation.name, number)
            error: BaseException | None = None
            try:
                yield tried
                tried.outcome = "ok"
            except BaseException as failure:
                error = failure
                raise
            finally:
                self._ended(tried, caller, deadline, error)

    async def _pass_gates(
        self, passed: AsyncExitStack, operation: Called, caller: Caller, deadline: Deadline
    ) -> Admission:
        gates, tenant, context = self._gates, caller.tenant, caller.context
        try:
            gates.credentials.check(gates.fingerprints.of(tenant))
            await passed.enter_async_context(
                gates.bulkheads.slot(
                    upstream=tenant.upstream.base_url,
                    tenant=tenant.id,
                    tenant_limit=tenant.limits.concurrency,
                    bulk=operation.deadline in _BULK,
                    deadline=deadline.at,
                    waited=partial(self._observer.waited, context),
                )
            )
            admission = passed.enter_context(gates.breakers.get(tenant.upstream.base_url).admit())
        except CredentialsPaused as paused:
            self._observer.refused(context, "login")
            raise login_paused(operation, paused.retry_after) from None
        except Full as full:
            self._observer.refused(context, f"{full.which}_slots")
            raise no_slot(full.which, full.retry_after) from None
        except BreakerOpen as opened:
            self._observer.refused(context, "breaker")
            raise breaker_open(operation, opened.retry_after) from None
        if operation.counts_as_campaign:
            await self._take_campaign(passed, caller)
        return admission

    async def _take_campaign(self, passed: AsyncExitStack, caller: Caller) -> None:
        limit = caller.tenant.limits.campaigns_per_hour
        decision = await self._gates.campaigns.take(caller.tenant.id, limit)
        if not decision.allowed:
            self._observer.refused(caller.context, "campaigns")
            raise campaigns_spent(limit, decision.retry_after)
        passed.push(self._giving_back(caller.tenant.id))

    def _giving_back(self, tenant_id: str) -> Callable[..., None]:
        def leave(_kind: object, error: BaseException | None, _trace: object) -> None:
            if isinstance(error, UpstreamUnavailable):
                self._gates.campaigns.give_back(tenant_id)

        return leave

    def _ended(self, tried: Try, caller: Caller, deadline: Deadline, error: BaseException | None) -> None:
        if isinstance(error, GatewayError):
            tried.outcome = error.code
        self._tell_guard(caller, error)
        seconds = tried.seconds()
        tried.admission.done(verdict(error, hurried=deadline.hurried), seconds)
        call = UpstreamCall(tried.operation, tried.outcome, tried.status, seconds, tried.number)
        caller.context.upstream_calls.append(call)
        self._observer.exchanged(call)
        if tried.trace is not None:
            tried.trace.ended(call)

    def _tell_guard(self, caller: Caller, error: BaseException | None) -> None:
        if error is None:
            self._gates.credentials.accepted(self._gates.fingerprints.of(caller.tenant))
        elif isinstance(error, UpstreamCredentialsRejected):
            self._gates.credentials.refused(self._gates.fingerprints.of(caller.tenant))
