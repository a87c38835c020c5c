"""What calls the platform and what hands messages to relays, as the settings say."""

import ssl
from functools import cache
from zoneinfo import ZoneInfo

from app.gateway.call import DriftObserver, ExportLimits, Gateway
from app.gateway.clock import PlatformClock
from app.gateway.sends import Sends
from app.messages.models import Waits
from app.messages.pool import RelayPool
from app.messages.submitter import Submitter
from app.policies.cache.protocol import Cache
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.tenants.destinations import Destinations
from app.upstream.client import UpstreamClient
from app.wiring.policies import Policies


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

    waits = Waits(settings.smtp_connect_timeout, settings.smtp_reply_timeout, settings.smtp_timeout)
    pool = RelayPool(waits, tls, destinations, size=settings.smtp_connections, idle_seconds=settings.smtp_idle_timeout)
    return Submitter(pool, sends, deadline=waits.total, now=clock.now, observer=TelemetryObserver(metrics))
