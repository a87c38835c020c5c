"""What endpoints use, put together once by `app.main`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.gateway.cached_reads import Reading
from app.gateway.call import Gateway
from app.gateway.clock import PlatformClock
from app.gateway.context import Credentials
from app.gateway.sends import Sends
from app.messages.submitter import Submitter
from app.policies.breaker import Breakers
from app.policies.cache.model import Cache
from app.policies.rate_limits import RateLimiter
from app.policies.shedding import ByteBudget
from app.readiness import Readiness
from app.storage.events.feed import EventFeed
from app.storage.tenants.repository import TenantRepository
from app.storage.usage import UsageCounter
from app.storage.writes.store import WriteStore
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.tenants.destinations import Destinations
from app.tenants.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLimits:
    """Guards of new campaigns: how long equal ones count as mistakes, and how long lost ones are looked for."""

    duplicate_window: timedelta
    lookup_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLimits:
    """What an import may take.

    Args:
        poll: seconds after which the platform is first asked again for a client that waits.
    """

    rows: int
    idle: float
    wait: int
    poll: float
    spools: ByteBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that endpoints use; `tenant_repository` is None where tenants come from a file."""

    gateway: Gateway
    reading: Reading
    sends: Sends
    send_limits: SendLimits
    import_limits: ImportLimits
    submitter: Submitter
    writes: WriteStore
    usage: UsageCounter
    events: EventFeed
    vault: Vault | None
    credentials: Credentials
    receivers: Mapping[str, Destinations]
    platform_clock: PlatformClock
    cache: Cache
    limiter: RateLimiter
    breakers: Breakers
    readiness: Readiness
    metrics: Metrics
    observer: TelemetryObserver
    destinations: Destinations
    tenant_repository: TenantRepository | None
