"""Everything between a call and the wire: what admits an attempt, and trying again where that does no harm.

Each attempt passes the same checks in the same order: the tenant's login is not known to be refused; the tenant and the
platform have a slot free; the breakers of the login and of the platform are closed; the quota of campaigns has one
left. What the attempt ends in is reported to each of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from app.errors import GatewayError, UpstreamCredentialsRejected, UpstreamUnavailable
from app.gateway.context import Caller, CallTrace, RequestContext, UpstreamCall
from app.gateway.failures import (
    Called,
    breaker_open,
    campaigns_spent,
    health_after,
    is_repeatable,
    login_paused,
    may_repeat,
    no_slot,
    wait_hint,
)
from app.gateway.operation import DeadlineClass
from app.policies.breaker import BreakerOpen, Breakers, CallHealth, Permits
from app.policies.bulkhead import Bulkheads, Full
from app.policies.credentials import CredentialGuard, CredentialsPaused
from app.policies.rate_limits import CampaignQuota
from app.policies.retry import Retrier
from app.tenants.vault import Fingerprints

_LAST_ATTEMPT = 3
_SHORTEST_ATTEMPT = 1.0


class Deadline(NamedTuple):
    """When the time of a call as a whole is over, on the event loop's clock."""

    at: float
    hurried: bool = False
    """Whether the caller set it, shorter than the gateway would have."""

    def of_attempt(self, repeatable: bool, number: int) -> float:
        """Return when one attempt's time is over: a repeatable call leaves half of what is left for another attempt."""
        if not repeatable or number >= _LAST_ATTEMPT:
            return self.at
        now = asyncio.get_running_loop().time()
        return now + max((self.at - now) / 2, min(_SHORTEST_ATTEMPT, self.at - now))


@dataclass(slots=True)
class Attempt:
    """One attempt that was admitted, the first being number 1."""

    operation: str
    number: int
    deadline: float
    permits: Permits
    started: float = field(default_factory=time.perf_counter)
    status: int | None = None
    """The HTTP status, once there is one."""
    outcome: str = "aborted"
    """`ok`, or the code of the error it ended in."""
    trace: CallTrace | None = None

    def answered(self) -> None:
        """Report that the platform works, for a reply that is still to be passed on for long."""
        self.permits.done(CallHealth.GOOD, self.seconds())

    def seconds(self) -> float:
        """Return how long it has been under way."""
        return time.perf_counter() - self.started


Result = TypeVar("Result")

_BULK = frozenset({DeadlineClass.EXPORT, DeadlineClass.UPLOAD})


class Observer(Protocol):
    """Sees every exchange with the platform, and what comes before it."""

    def exchanged(self, call: UpstreamCall) -> None:
        """Called once an exchange has ended, well or badly."""

    def waited(self, context: RequestContext, which: str, seconds: float) -> None:
        """Called when a call has waited for a slot, the `tenant`'s or the `upstream`'s, whether or not it got one."""

    def refused(self, context: RequestContext, reason: str) -> None:
        """Called for a refusal: `login`, `tenant_slots`, `upstream_slots`, `breaker` or `campaigns`."""

    def retrying(self, context: RequestContext, operation: str, outcome: str, seconds: float) -> None:
        """Called when an attempt has failed and there will be another one, after so many seconds."""

    def login_changed(self, tenant: str, *, paused: bool) -> None:
        """Called when a tenant's login is paused after refusals, and when it is taken again."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What every attempt must pass."""

    credentials: CredentialGuard
    bulkheads: Bulkheads
    breakers: Breakers
    campaigns: CampaignQuota
    fingerprints: Fingerprints
    observer: Observer

    @asynccontextmanager
    async def attempt(
        self, operation: Called, caller: Caller, deadline: Deadline, number: int
    ) -> AsyncIterator[Attempt]:
        """Admit an attempt, and report what it ends in.

        Entering raises `GatewayError` for an attempt that is refused; nothing was sent then.
        """
        login = self.fingerprints.of(caller.tenant)
        self._check_login(operation, caller, login)
        async with self._slots(operation, caller, deadline):
            permits = self._permit(operation, caller, login)
            try:
                if operation.counts_as_campaign:
                    await self._take_campaign(caller)
                attempt = _begin(operation, caller, deadline, number, permits)
            except BaseException:
                permits.done(CallHealth.UNKNOWN, 0.0)
                raise
            try:
                yield attempt
            except BaseException as error:
                self._end(attempt, caller, error, login, hurried=deadline.hurried)
                if operation.counts_as_campaign and isinstance(error, UpstreamUnavailable):
                    self.campaigns.give_back(caller.tenant.id)
                raise
            self._end(attempt, caller, None, login, hurried=deadline.hurried)

    def _check_login(self, operation: Called, caller: Caller, login: str) -> None:
        try:
            self.credentials.check(login)
        except CredentialsPaused as paused:
            self.observer.refused(caller.context, "login")
            raise login_paused(operation, paused.retry_after) from None

    @asynccontextmanager
    async def _slots(self, operation: Called, caller: Caller, deadline: Deadline) -> AsyncIterator[None]:
        tenant = caller.tenant
        slots = self.bulkheads.slots(
            upstream=tenant.upstream.base_url,
            tenant=tenant.id,
            tenant_limit=tenant.limits.concurrency,
            bulk=operation.deadline in _BULK,
            spare=caller.context.background,
            deadline=deadline.at,
            waited=partial(self.observer.waited, caller.context),
        )
        try:
            await slots.take()
        except Full as full:
            self.observer.refused(caller.context, f"{full.which}_slots")
            raise no_slot(full.which, full.retry_after) from None
        try:
            yield
        finally:
            slots.give_back()

    def _permit(self, operation: Called, caller: Caller, login: str) -> Permits:
        try:
            return self.breakers.admit(caller.tenant.upstream.base_url, login, caller.tenant.id)
        except BreakerOpen as opened:
            self.observer.refused(caller.context, "breaker")
            raise breaker_open(operation, opened.retry_after) from None

    async def _take_campaign(self, caller: Caller) -> None:
        limit = caller.tenant.limits.campaigns_per_hour
        decision = await self.campaigns.take(caller.tenant.id, limit)
        if not decision.allowed:
            self.observer.refused(caller.context, "campaigns")
            raise campaigns_spent(limit, decision.retry_after)

    def _end(self, attempt: Attempt, caller: Caller, error: BaseException | None, login: str, *, hurried: bool) -> None:
        if error is None:
            attempt.outcome = "ok"
            if self.credentials.accepted(login):
                self.observer.login_changed(caller.tenant.id, paused=False)
        elif isinstance(error, GatewayError):
            attempt.outcome = error.code
        if isinstance(error, UpstreamCredentialsRejected) and self.credentials.refused(login):
            self.observer.login_changed(caller.tenant.id, paused=True)
        seconds = attempt.seconds()
        attempt.permits.done(health_after(error, status=attempt.status, hurried=hurried), seconds)
        call = UpstreamCall(attempt.operation, attempt.outcome, attempt.status, seconds, attempt.number)
        caller.context.upstream_calls.append(call)
        self.observer.exchanged(call)
        if attempt.trace is not None:
            attempt.trace.ended(call)


class Attempts:
    """Carries out calls, in as many attempts as are safe and worth while."""

    def __init__(self, admission: Admission, retrier: Retrier) -> None:
        self._admission = admission
        self._retrier = retrier
        self.one = admission.attempt

    async def run(
        self, operation: Called, caller: Caller, deadline: Deadline, once: Callable[[int], Awaitable[Result]]
    ) -> Result:
        """Return what `once` returns, called with the number of the attempt until it succeeds or must not go on.

        Raises:
            GatewayError: what the last attempt ended in.
        """

        def waiting(error: Exception, seconds: float) -> None:
            outcome = error.code if isinstance(error, GatewayError) else "aborted"
            self._admission.observer.retrying(caller.context, operation.name, outcome, seconds)

        return await self._retrier.run(
            once,
            upstream=caller.tenant.upstream.base_url,
            deadline=deadline.at,
            repeatable=_never if caller.context.background else partial(may_repeat, operation),
            wait_hint=wait_hint,
            waiting=waiting,
        )


def _never(_error: Exception) -> bool:
    return False


def _begin(operation: Called, caller: Caller, deadline: Deadline, number: int, permits: Permits) -> Attempt:
    until = deadline.of_attempt(is_repeatable(operation), number)
    attempt = Attempt(operation.name, number, until, permits)
    if (trace := caller.context.trace) is not None:
        attempt.trace = trace.calling(attempt.operation, number)
    return attempt
