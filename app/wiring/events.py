"""What watches accounts and delivers webhooks, as the settings say."""

from app.events.watchers import Watchers
from app.gateway.call import Gateway
from app.gateway.clock import PlatformClock
from app.policies.cache.model import Cache
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.wiring.storage import Storage


def build_watchers(
    settings: Settings, storage: Storage, gateway: Gateway, cache: Cache, clock: PlatformClock, metrics: Metrics
) -> Watchers:
    """Build what watches the tenants' accounts."""
    return Watchers(storage.database, storage.tenants, gateway, cache, clock, metrics, events_days=settings.events_days)
