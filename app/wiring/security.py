"""What decides who comes in and where the gateway may go, and what records it, as the settings say."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.api.authentication import AdminCredential, Authenticator
from app.api.lockout import Lockout
from app.api.proxies import TrustedProxies
from app.gateway.clock import PlatformClock
from app.settings import Settings
from app.telemetry.audit_log import AuditFile, AuditLog, Pseudonyms, StandardOutput
from app.telemetry.metrics import Metrics
from app.tenants.destinations import Destinations
from app.tenants.master_keys import MasterKey
from app.tenants.store import TenantStore
from app.upstream.transport import GuardedTransport

if TYPE_CHECKING:
    from app.tenants.jwks import KeysDocument
    from app.tenants.tokens import TokenVerifier


def build_proxies(settings: Settings) -> TrustedProxies:
    """Build what the proxies in front are asked about a request."""
    return TrustedProxies(settings.trusted_proxies or (), settings.forwarded_header, settings.root_path or "")


def build_destinations(settings: Settings) -> Destinations:
    """Build what tells where platforms and relays may be."""
    return Destinations(allowed=settings.allowed_upstreams or (), refused=settings.refused_upstreams or ())


def build_keys_document(settings: Settings, destinations: Destinations) -> KeysDocument | None:
    """Build what fetches the keys of those who make tokens, if there are to be tokens."""
    if settings.jwt_jwks_url is None:
        return None
    from app.tenants.jwks import KeysDocument  # noqa: PLC0415 - most gateways take no tokens
    from app.upstream.library import TransportForLibrary  # noqa: PLC0415

    ours = GuardedTransport(destinations, connections=1)
    transport = TransportForLibrary(ours, connect=settings.connect_timeout)
    return KeysDocument(settings.jwt_jwks_url, transport, seconds=settings.connect_timeout)


def build_authenticator(
    settings: Settings,
    tenants: TenantStore,
    document: KeysDocument | None,
    metrics: Metrics,
    master_key: MasterKey,
    clock: PlatformClock,
) -> Authenticator:
    """Build what tells whom a key stands for."""
    return Authenticator(
        tenants,
        tokens=_tokens(settings, tenants, document, master_key) if document else None,
        lockout=_lockout(settings),
        on_locked=partial(metrics.refused, "address"),
        now=clock.now,
    )


def _tokens(settings: Settings, tenants: TenantStore, document: KeysDocument, master_key: MasterKey) -> TokenVerifier:
    from app.tenants.jwks import ProviderKeys  # noqa: PLC0415
    from app.tenants.tokens import TokenRules, TokenVerifier  # noqa: PLC0415 - loads libraries that nothing else needs

    rules = TokenRules(
        issuer=settings.jwt_issuer or "",
        audience=settings.jwt_audience or "",
        algorithms=settings.jwt_algorithms.split(","),
        tenant_claim=settings.jwt_tenant_claim,
        scope_claim=settings.jwt_scope_claim,
    )
    keys = ProviderKeys(document, lifetime=settings.jwt_jwks_lifetime)
    return TokenVerifier(rules, keys, tenants, master_key)


def build_admin_credential(settings: Settings, metrics: Metrics) -> AdminCredential | None:
    """Build what checks the operators' token, if there is one."""
    if settings.admin_token is None:
        return None
    token = settings.admin_token.get_secret_value()
    return AdminCredential(token, lockout=_lockout(settings), on_locked=partial(metrics.refused, "address"))


def build_audit(settings: Settings, metrics: Metrics, master_key: MasterKey) -> dict[str, Any] | None:
    """Build what the audit middleware needs, if there is to be one.

    Raises:
        app.telemetry.audit_log.AuditFileError: the file cannot be used.
    """
    if settings.audit_log == "off":
        return None
    sink = StandardOutput() if settings.audit_log == "stdout" else AuditFile(Path(settings.audit_log))
    return {
        "trail": AuditLog(sink, on_failure=metrics.audit_failed),
        "pseudonyms": Pseudonyms(master_key, settings.audit_addresses),
    }


def build_protocol(settings: Settings) -> Any:
    """Return the HTTP protocol for the server: a class, or what stands for one, that can be sent to its workers."""
    if find_spec("httptools") is None:
        return "auto"
    from app.api.protocol import BoundedProtocol, Bounds  # noqa: PLC0415 - Windows has no httptools

    bounds = Bounds(settings.max_header_bytes, settings.header_timeout, settings.stall_timeout)
    return partial(BoundedProtocol, bounds=bounds)


def _lockout(settings: Settings) -> Lockout:
    return Lockout(failures=settings.lockout_failures, window=settings.lockout_window)
