"""The admission of one attempt: whoever refuses it, and however it ends, nothing stays taken that others need."""

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from app.errors import GatewayError, RateLimited, UpstreamCredentialsRejected, UpstreamError, UpstreamUnavailable
from app.gateway.admission import Admission, Attempt, Deadline
from app.gateway.context import Caller, RequestContext
from app.policies.breaker import BreakerKey, BreakerPolicy, Breakers, CallHealth, CircuitState
from app.policies.bulkhead import Bulkheads
from app.policies.credentials import CredentialGuard
from app.policies.rate_limits import CampaignQuota, Decision, MemoryWindow, Quota
from app.resources.campaigns.operations import CREATE
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.tenants.models import Scope
from app.tenants.vault import Fingerprints, MasterKey
from tests.support.clocks import Clock, settle
from tests.support.tenants import BASE_URL, TRACE, make_tenant

POLICY = BreakerPolicy(minimum_calls=1, open_for=15.0)


class Stuck:
    """A window that never decides."""

    async def hit(self, _subject: str, _quota: Quota) -> Decision:
        """Wait."""
        await asyncio.Event().wait()
        raise AssertionError


class Trying:
    """Tries to create campaigns as a tenant that may have one call under way and one campaign an hour."""

    def __init__(self, clock: Clock, quota: CampaignQuota | None = None) -> None:
        self.admission = Admission(
            credentials=CredentialGuard(refusals=1, now=clock),
            bulkheads=Bulkheads(upstream_limit=5, export_share=0.5, queue=0, wait=1.0),
            breakers=Breakers(POLICY, clock),
            campaigns=quota or CampaignQuota(MemoryWindow()),
            fingerprints=Fingerprints(MasterKey.random()),
            observer=TelemetryObserver(Metrics()),
        )
        limits = {"requests_per_minute": 60, "concurrency": 1, "campaigns_per_hour": 1}
        tenant = make_tenant(limits=limits)
        key = BreakerKey(BASE_URL, self.admission.fingerprints.of(tenant), tenant.id)
        self.breaker = self.admission.breakers.get(key)
        self.caller = Caller(tenant, "all", frozenset(Scope), RequestContext("request-1", TRACE))

    def attempt(self) -> AbstractAsyncContextManager[Attempt]:
        deadline = Deadline(asyncio.get_running_loop().time() + 10)
        return self.admission.attempt(CREATE, self.caller, deadline, 1)

    async def end_in(self, error: Exception | None, status: int | None = None) -> None:
        """Make an attempt that ends in something."""
        async with self.attempt() as attempt:
            attempt.status = status
            if error is not None:
                raise error

    def holds_nothing(self) -> bool:
        return self.admission.bulkheads.standing("tenant") == self.admission.bulkheads.standing("upstream") == (0, 0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_an_attempt_holds_its_slots_and_tells_its_end(clock: Clock) -> None:
    trying = Trying(clock)
    async with trying.attempt() as attempt:
        assert (
            trying.admission.bulkheads.standing("tenant") == trying.admission.bulkheads.standing("upstream") == (1, 0)
        )
        attempt.status = 200
    assert trying.holds_nothing()
    (call,) = trying.caller.context.upstream_calls
    assert (call.operation, call.outcome, call.status, call.attempt) == ("campaigns.create", "ok", 200, 1)
    assert trying.breaker.snapshot().calls == 1


async def test_no_slot(clock: Clock) -> None:
    trying = Trying(clock)
    async with trying.attempt():
        with pytest.raises(RateLimited, match="under way"):
            await trying.end_in(None)
    assert trying.holds_nothing()


async def test_an_open_breaker(clock: Clock) -> None:
    trying = Trying(clock)
    with pytest.raises(UpstreamError):
        await trying.end_in(UpstreamError("broken"))
    with pytest.raises(UpstreamUnavailable, match="Nothing was sent"):
        await trying.end_in(None)
    assert trying.holds_nothing()


async def test_a_refused_login(clock: Clock) -> None:
    trying = Trying(clock)
    with pytest.raises(UpstreamCredentialsRejected):
        await trying.end_in(UpstreamCredentialsRejected("refused"))
    with pytest.raises(UpstreamCredentialsRejected, match="not asked"):
        await trying.end_in(None)
    assert trying.holds_nothing()


async def test_a_spent_quota_leaves_the_probe_to_the_next(clock: Clock) -> None:
    trying = Trying(clock)
    await trying.end_in(None)
    trying.breaker.admit().done(CallHealth.BAD, 0.1)
    clock.now += POLICY.open_for
    for _ in range(2):
        with pytest.raises(RateLimited, match="campaigns an hour"):
            await trying.end_in(None)
        assert trying.breaker.state is CircuitState.HALF_OPEN
    assert trying.holds_nothing()


async def test_what_never_left_takes_nothing_of_the_quota(clock: Clock) -> None:
    trying = Trying(clock)
    with pytest.raises(UpstreamUnavailable):
        await trying.end_in(UpstreamUnavailable("nobody there"))
    clock.now += POLICY.open_for
    await trying.end_in(None)
    with pytest.raises(GatewayError, match="campaigns an hour"):
        await trying.end_in(None)


async def test_one_who_leaves_at_a_check_takes_nothing_along(clock: Clock) -> None:
    trying = Trying(clock, CampaignQuota(Stuck()))
    trying.breaker.admit().done(CallHealth.BAD, 0.1)
    clock.now += POLICY.open_for
    task = asyncio.create_task(trying.end_in(None))
    await settle()
    assert not trying.holds_nothing()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert trying.holds_nothing()
    trying.breaker.admit()


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429])
async def test_a_refusal_of_one_request_does_not_count_against_the_platform(clock: Clock, status: int) -> None:
    trying = Trying(clock)
    with pytest.raises(UpstreamError):
        await trying.end_in(UpstreamError("refused"), status)
    assert trying.breaker.state is CircuitState.CLOSED
