"""What looks a tenant's account over outside of a running gateway, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from app.api.request_head import RequestHead, request_context
from app.doctor.diagnosis import RECORDS, Diagnosis, DriftNotes
from app.doctor.findings import DestinationRefused, UnknownTenant
from app.doctor.plan import PLAN
from app.doctor.recording import Recorder
from app.doctor.recording_transport import RecordingTransport
from app.gateway.clock import PlatformClock
from app.policies.cache.protocol import NullCache
from app.policies.limits.campaigns import CampaignQuota
from app.policies.limits.memory import MemoryWindow
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.tenants.destinations import Destinations
from app.tenants.master_keys import Fingerprints, MasterKey
from app.tenants.models import Tenant
from app.upstream.client import UpstreamClient
from app.upstream.library import TransportForLibrary
from app.upstream.transport import GuardedTransport
from app.wiring.gateway import build_gateway
from app.wiring.policies import build_policies
from app.wiring.security import build_destinations
from app.wiring.storage import administration, file_tenants


@asynccontextmanager
async def examining(
    settings: Settings, tenant_id: str, *, pause: float, folder: Path | None, force: bool
) -> AsyncIterator[Diagnosis]:
    """Open what looks an account over, with a connection of its own, no cache, and each call made once.

    Args:
        settings: everything configurable.
        tenant_id: whose account.
        pause: seconds between two calls.
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
    transport = TransportForLibrary(GuardedTransport(destinations, connections=1), connect=settings.connect_timeout)
    tap = RecordingTransport(transport, [check.operation for check in PLAN])
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
