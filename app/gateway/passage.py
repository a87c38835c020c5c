"""One try of a call: the gates it passes on the way to the platform, and what they are told of its end."""

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import NamedTuple, Protocol

from app.errors import GatewayError, UpstreamCredentialsRejected, UpstreamUnavailable
from app.gateway.context import Caller, CallTrace, RequestContext, UpstreamCall
from app.gateway.failures import Called
from app.gateway.gates import breaker_open, campaigns_spent, login_paused, no_slot
from app.gateway.judgement import is_repeatable, verdict
from app.gateway.operation import DeadlineClass
from app.policies.breaker import Admission, BreakerOpen, Breakers, Verdict
from app.policies.bulkhead import Full
from app.policies.bulkheads import Bulkheads, Slots
from app.policies.credentials import CredentialGuard, CredentialsPaused
from app.policies.limits.campaigns import CampaignQuota
from app.tenants.master_keys import Fingerprints

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


class Deadline(NamedTuple):
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


class Passage:
    """The way of one try through the gates, there and back, as an asynchronous context that gives the try.

    No generator and no stack of contexts: every call of a platform passes here.

    Args:
        gates: what it must pass.
        observer: told of it.
        operation: what is called.
        caller: for whom.
        deadline: of the call as a whole.
        number: which try it is, from 1.
    """

    def __init__(
        self, gates: Gates, observer: Observer, operation: Called, caller: Caller, deadline: Deadline, number: int
    ) -> None:
        self._gates = gates
        self._observer = observer
        self._operation = operation
        self._caller = caller
        self._deadline = deadline
        self._number = number
        self._fingerprint = gates.fingerprints.of(caller.tenant)
        self._slots: Slots
        self._try: Try

    async def __aenter__(self) -> Try:
        """Pass the gates.

        Raises:
            GatewayError: one is closed; nothing was sent.
        """
        self._check_login()
        await self._take_slots()
        try:
            admission = self._admit()
            try:
                if self._operation.counts_as_campaign:
                    await self._take_campaign()
                self._try = self._begin(admission)
            except BaseException:
                admission.done(Verdict.NONE, 0.0)
                raise
        except BaseException:
            self._slots.give_back()
            raise
        return self._try

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell the gates what the try has ended in."""
        try:
            self._end(error)
        finally:
            if self._operation.counts_as_campaign and isinstance(error, UpstreamUnavailable):
                self._gates.campaigns.give_back(self._caller.tenant.id)
            self._slots.give_back()

    def _check_login(self) -> None:
        try:
            self._gates.credentials.check(self._fingerprint)
        except CredentialsPaused as paused:
            self._observer.refused(self._caller.context, "login")
            raise login_paused(self._operation, paused.retry_after) from None

    async def _take_slots(self) -> None:
        tenant, context = self._caller.tenant, self._caller.context
        self._slots = self._gates.bulkheads.slot(
            upstream=tenant.upstream.base_url,
            tenant=tenant.id,
            tenant_limit=tenant.limits.concurrency,
            bulk=self._operation.deadline in _BULK,
            deadline=self._deadline.at,
            waited=partial(self._observer.waited, context),
        )
        try:
            await self._slots.take()
        except Full as full:
            self._observer.refused(context, f"{full.which}_slots")
            raise no_slot(full.which, full.retry_after) from None

    def _admit(self) -> Admission:
        try:
            return self._gates.breakers.get(self._caller.tenant.upstream.base_url).admit()
        except BreakerOpen as opened:
            self._observer.refused(self._caller.context, "breaker")
            raise breaker_open(self._operation, opened.retry_after) from None

    async def _take_campaign(self) -> None:
        tenant = self._caller.tenant
        decision = await self._gates.campaigns.take(tenant.id, tenant.limits.campaigns_per_hour)
        if not decision.allowed:
            self._observer.refused(self._caller.context, "campaigns")
            raise campaigns_spent(tenant.limits.campaigns_per_hour, decision.retry_after)

    def _begin(self, admission: Admission) -> Try:
        until = self._deadline.of_try(is_repeatable(self._operation), self._number)
        tried = Try(self._operation.name, self._number, until, admission)
        if (trace := self._caller.context.trace) is not None:
            tried.trace = trace.calling(tried.operation, self._number)
        return tried

    def _end(self, error: BaseException | None) -> None:
        tried = self._try
        if error is None:
            tried.outcome = "ok"
        elif isinstance(error, GatewayError):
            tried.outcome = error.code
        seconds = tried.seconds()
        self._tell_guard(error)
        tried.admission.done(verdict(error, hurried=self._deadline.hurried), seconds)
        call = UpstreamCall(tried.operation, tried.outcome, tried.status, seconds, tried.number)
        self._caller.context.upstream_calls.append(call)
        self._observer.exchanged(call)
        if tried.trace is not None:
            tried.trace.ended(call)

    def _tell_guard(self, error: BaseException | None) -> None:
        if error is None:
            self._gates.credentials.accepted(self._fingerprint)
        elif isinstance(error, UpstreamCredentialsRejected):
            self._gates.credentials.refused(self._fingerprint)
