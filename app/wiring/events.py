"""What watches accounts and delivers webhooks, as the settings say."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from app.events.delivering import Deliverer
from app.events.sender import WebhookSender
from app.events.watchers import Watchers
from app.gateway.call import Gateway
from app.gateway.clock import PlatformClock
from app.policies.cache.model import Cache
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.tenants.destinations import Destinations, ListedDestinations, PublicDestinations
from app.tenants.vault import MasterKeys, Vault
from app.upstream.transport import GuardedTransport, TransportForLibrary
from app.wiring.storage import Storage

_CONNECTIONS = 400


class Background(Protocol):
    """Work that goes on beside requests."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Work while the context is open."""


def build_receivers(settings: Settings) -> Mapping[str, Destinations]:
    """Build what tells where webhooks may be, by the schemes of their URLs."""
    networks = settings.webhook_networks or ()
    public = PublicDestinations(allowed=networks, refused=settings.refused_upstreams or ())
    return {"https": public, "http": ListedDestinations(networks)} if networks else {"https": public}


def build_background(
    settings: Settings,
    storage: Storage,
    gateway: Gateway,
    cache: Cache,
    clock: PlatformClock,
    metrics: Metrics,
    master_keys: MasterKeys,
) -> Sequence[Background]:
    """Build what watches the tenants' accounts, and what delivers their events."""
    watchers = Watchers(
        storage.database, storage.tenants, gateway, cache, clock, metrics, events_days=settings.events_days
    )
    transports = {
        scheme: TransportForLibrary(
            GuardedTransport(destinations, connections=_CONNECTIONS), connect=settings.connect_timeout
        )
        for scheme, destinations in build_receivers(settings).items()
    }
    deliverer = Deliverer(storage.database, WebhookSender(transports), Vault(master_keys), clock.zone, metrics)
    return watchers, deliverer
