"""What calls the platform, and what hands messages to relays, as the settings say."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from app.admin.deps import Prober
from app.api.request_head import RequestHead, request_context
from app.doctor.diagnosis import PLAN, RECORDS, Diagnosis, DriftNotes
from app.doctor.findings import DestinationRefused, UnknownTenant
from app.doctor.recording import Recorder, RecordingTransport
from app.gateway.admission import Admission, Attempts
from app.gateway.call import CallTimeouts, DriftObserver, ExportLimits, Gateway
from app.gateway.clock import PlatformClock
from app.gateway.operation import DeadlineClass
from app.gateway.sends import Sends
from app.messages.models import SmtpTimeouts
from app.messages.pool import RelayPool
from app.messages.submitter import Submitter
from app.policies.breaker import BreakerPolicy, Breakers
from app.policies.bulkhead import Bulkheads
from app.policies.cache.model import Cache, NullCache
from app.policies.credentials import CredentialGuard
from app.policies.rate_limits import CampaignQuota, MemoryWindow
from app.policies.retry import Retrier, RetryBudget, RetryPolicy
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.tenants.destinations import Destinations
from app.tenants.models import Tenant
from app.tenants.vault import Fingerprints, MasterKey
from app.upstream.client import UpstreamClient
from app.upstream.transport import GuardedTransport
from app.wiring.storage import administration, build_destinations, file_tenants


@dataclass(frozen=True, slots=True)
class Policies:
    """What decides whether and how often a call is made."""

    attempts: Attempts
    breakers: Breakers
    bulkheads: Bulkheads
    waits: CallTimeouts


def build_policies(
    settings: Settings, metrics: Metrics, fingerprints: Fingerprints, campaigns: CampaignQuota
) -> Policies:
    """Build what stands between a wish and the platform."""
    observer = TelemetryObserver(metrics)
    breakers = Breakers(
        BreakerPolicy(
            window=settings.breaker_window,
            minimum_calls=settings.breaker_minimum_calls,
            failure_ratio=settings.breaker_failure_ratio,
            slow_call=settings.breaker_slow_call,
            open_for=settings.breaker_open_for,
        ),
        on_change=observer.breaker_changed,
    )
    admission = Admission(
        credentials=CredentialGuard(refusals=settings.login_refusals, pause=settings.login_pause),
        bulkheads=Bulkheads(
            upstream_limit=settings.upstream_connections,
            export_share=settings.export_share,
            queue=settings.queue_length,
            wait=settings.queue_wait,
        ),
        breakers=breakers,
        campaigns=campaigns,
        fingerprints=fingerprints,
        observer=observer,
    )
    policy = RetryPolicy(attempts=settings.retry_attempts, base=settings.retry_base, cap=settings.retry_cap)
    retrier = Retrier(policy, budget=RetryBudget(ratio=settings.retry_budget))
    attempts = Attempts(admission, retrier)
    return Policies(attempts, breakers, admission.bulkheads, build_waits(settings))


def build_waits(settings: Settings) -> CallTimeouts:
    """Return how long calls may take."""
    return CallTimeouts(
        settings.connect_timeout,
        {
            DeadlineClass.INTERACTIVE: settings.interactive_timeout,
            DeadlineClass.WRITE: settings.write_timeout,
            DeadlineClass.EXPORT: settings.export_timeout,
            DeadlineClass.UPLOAD: settings.upload_timeout,
        },
    )


def build_gateway(
    settings: Settings,
    client: UpstreamClient,
    policies: Policies,
    answers: Cache,
    observer: DriftObserver,
    clock: PlatformClock | None = None,
) -> Gateway:
    """Build what calls the platform."""
    return Gateway(
        client,
        policies.attempts,
        answers,
        clock=clock or PlatformClock(ZoneInfo(settings.upstream_timezone)),
        waits=policies.waits,
        observer=observer,
        export_limits=ExportLimits(settings.export_idle_timeout, settings.max_record_length),
    )


def build_submitter(
    settings: Settings, clock: PlatformClock, metrics: Metrics, sends: Sends, destinations: Destinations
) -> Submitter:
    """Build what hands messages to relays."""

    @cache
    def tls() -> ssl.SSLContext:
        # Reading the system's authorities takes a while, and most relays have no TLS.
        context = ssl.create_default_context()
        if settings.smtp_ca_file:
            context.load_verify_locations(cafile=settings.smtp_ca_file)
        return context

    waits = SmtpTimeouts(settings.smtp_connect_timeout, settings.smtp_reply_timeout, settings.smtp_timeout)
    pool = RelayPool(waits, tls, destinations, size=settings.smtp_connections, idle_seconds=settings.smtp_idle_timeout)
    return Submitter(pool, sends, deadline=waits.total, now=clock.now, observer=TelemetryObserver(metrics))


@asynccontextmanager
async def examining(
    settings: Settings, tenant_id: str, *, pause: float, folder: Path | None, force: bool
) -> AsyncIterator[Diagnosis]:
    """Open what looks an account over, outside of a gateway and without a cache; each call is made once.

    Args:
        folder: where replies are kept, if they are to be.
        force: whether replies kept there may be replaced.

    Raises:
        UnknownTenant, RepositoryError: there is no such tenant, or its secrets cannot be read.
        DestinationRefused: its platform is where the gateway must not connect to.
        TenantsFileError, DatabaseError: tenants cannot be read.
    """
    destinations = build_destinations(settings)
    zone = ZoneInfo(settings.upstream_timezone)
    tenant = await _find(settings, tenant_id, destinations)
    once = settings.model_copy(update={"retry_attempts": 1})
    policies = build_policies(once, Metrics(), Fingerprints(MasterKey.random()), CampaignQuota(MemoryWindow()))
    tap = RecordingTransport(GuardedTransport(destinations, connections=1), [check.operation for check in PLAN])
    client = UpstreamClient(tap, max_reply_bytes=settings.max_reply_bytes)
    notes = DriftNotes()
    gateway = build_gateway(once, client, policies, NullCache(), notes)
    try:
        yield Diagnosis(
            gateway,
            tenant,
            notes=notes,
            tap=tap,
            context=lambda: request_context(RequestHead()),
            pause=pause,
            today=PlatformClock(zone).now().date(),
            recorder=Recorder(folder, zone, records=RECORDS, force=force) if folder else None,
        )
    finally:
        await client.aclose()


async def _find(settings: Settings, tenant_id: str, destinations: Destinations) -> Tenant:
    if settings.tenants_in_database:
        async with administration(settings) as repository:
            tenant = await repository.open(tenant_id)
        if refusal := destinations.refusal(tenant):
            raise DestinationRefused(refusal)
        return tenant
    found = await file_tenants(settings, destinations).find(tenant_id)
    if found is None:
        raise UnknownTenant(f"There is no tenant {tenant_id}.")
    return found


@asynccontextmanager
async def probing(settings: Settings) -> AsyncIterator[Prober]:
    """Open what tries logins, with connections of its own."""
    metrics = Metrics()
    policies = build_policies(settings, metrics, Fingerprints(MasterKey.random()), CampaignQuota(MemoryWindow()))
    client = UpstreamClient(
        GuardedTransport(build_destinations(settings), connections=1), max_reply_bytes=settings.max_reply_bytes
    )
    gateway = build_gateway(settings, client, policies, NullCache(), TelemetryObserver(metrics))
    try:
        yield Prober(gateway, request_context(RequestHead()))
    finally:
        await client.aclose()
