"""What decides who comes in, as the settings say."""

from functools import partial

from app.api.security.address import ClientAddresses
from app.api.security.admin import AdminCredential
from app.api.security.authentication import Authenticator
from app.api.security.lockout import Lockout
from app.gateway.clock import PlatformClock
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.tenants.destinations import Destinations
from app.tenants.store import TenantStore


def build_addresses(settings: Settings) -> ClientAddresses:
    """Build what tells where requests come from."""
    return ClientAddresses(settings.trusted_proxies or (), settings.forwarded_header)


def build_destinations(settings: Settings) -> Destinations:
    """Build what tells where platforms and relays may be."""
    return Destinations(allowed=settings.allowed_upstreams or (), refused=settings.refused_upstreams or ())


def build_authenticator(
    settings: Settings, tenants: TenantStore, metrics: Metrics, clock: PlatformClock
) -> Authenticator:
    """Build what tells whom a key stands for."""
    return Authenticator(
        tenants, lockout=_lockout(settings), on_locked=partial(metrics.refused, "address"), now=clock.now
    )


def build_admin_credential(settings: Settings, metrics: Metrics) -> AdminCredential | None:
    """Build what checks the operators' token, if there is one."""
    if settings.admin_token is None:
        return None
    token = settings.admin_token.get_secret_value()
    return AdminCredential(token, lockout=_lockout(settings), on_locked=partial(metrics.refused, "address"))


def _lockout(settings: Settings) -> Lockout:
    return Lockout(failures=settings.lockout_failures, window=settings.lockout_window)
