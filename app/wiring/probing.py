"""What tries U-Mail logins outside of a running gateway, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.admin.deps import Prober
from app.api.request_head import RequestHead, request_context
from app.policies.cache.protocol import NullCache
from app.policies.limits.campaigns import CampaignQuota
from app.policies.limits.memory import MemoryWindow
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.tenants.master_keys import Fingerprints, MasterKey
from app.upstream.client import UpstreamClient
from app.upstream.transport import GuardedTransport
from app.wiring.gateway import build_gateway
from app.wiring.policies import build_policies
from app.wiring.security import build_destinations


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
