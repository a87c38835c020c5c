"""What every request passes on its way in, and what watches it, as the settings say."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.types import ASGIApp

from app import __version__
from app.api.audit import AuditMiddleware
from app.api.authentication import AdminCredential, Authenticator, Lockout
from app.api.body_bounds import BodyBounds
from app.api.caching import FastPath
from app.api.cors import CrossOriginMiddleware
from app.api.edge import EdgeMiddleware
from app.api.inner_requests import InnerMiddleware
from app.api.protocol import BoundedProtocol, ConnectionBounds
from app.api.request_head import TrustedProxies
from app.gateway.clock import PlatformClock
from app.policies.rate_limits import RateLimiter
from app.policies.shedding import Shedder
from app.settings import Settings
from app.storage.usage import UsageCounter
from app.telemetry.audit_log import AuditFile, AuditLog, Pseudonyms, StandardOutput
from app.telemetry.metrics import Metrics
from app.telemetry.observer import AccessLog, RequestTelemetry, TelemetryObserver
from app.tenants.destinations import Destinations
from app.tenants.jwks import KeysDocument, ProviderKeys
from app.tenants.store import TenantStore
from app.tenants.tokens import TokenRules, TokenVerifier
from app.tenants.vault import MasterKey
from app.upstream.transport import GuardedTransport, TransportForLibrary
from app.wiring.gateway import Policies
from app.wiring.state import State


class WaysIn(NamedTuple):
    """What stands before the application, for requests from outside and for those that the gateway makes of itself."""

    edge: Callable[[ASGIApp], ASGIApp]
    inner: Callable[[ASGIApp], ASGIApp]


def build_ways_in(
    settings: Settings,
    *,
    authenticator: Authenticator,
    operators: AdminCredential | None,
    limiter: RateLimiter,
    fast_path: FastPath,
    resource_metadata: str | None,
    shedder: Shedder,
    telemetry: RequestTelemetry,
    observer: TelemetryObserver,
    metrics: Metrics,
    usage: UsageCounter,
    master_key: MasterKey,
    clock: PlatformClock,
) -> WaysIn:
    """Build the ways in; the audit log stands outside of everything.

    Raises:
        app.telemetry.audit_log.AuditFileError: the file of the audit log cannot be used.
    """
    audit = build_audit(settings, metrics, master_key)
    access = AccessLog()

    def wrap(app: ASGIApp) -> ASGIApp:
        wrapped: ASGIApp = EdgeMiddleware(
            app,
            proxies=build_proxies(settings),
            shedder=shedder,
            bodies=BodyBounds(
                max_bytes=settings.max_body_bytes,
                max_large_bytes=settings.max_import_bytes,
                patience=settings.body_timeout,
                shedder=shedder,
            ),
            authenticator=authenticator,
            operators=operators,
            management_port=settings.management_port,
            limiter=limiter,
            fast_path=fast_path,
            resource_metadata=resource_metadata,
            telemetry=telemetry,
            observer=observer,
            access=access,
            usage=usage,
        )
        if settings.cors_origins:
            wrapped = CrossOriginMiddleware(wrapped, origins=settings.cors_origins.split(","))
        return audited(wrapped)

    def wrap_inner(app: ASGIApp) -> ASGIApp:
        return audited(InnerMiddleware(app, limiter=limiter, observer=observer))

    def audited(app: ASGIApp) -> ASGIApp:
        return AuditMiddleware(app, **audit, now=clock.utc) if audit else app

    return WaysIn(wrap, wrap_inner)


if TYPE_CHECKING:
    from app.telemetry.otlp import LogExport
    from app.telemetry.tracing import Tracing

_EXPORT_SECONDS = 5


def build_proxies(settings: Settings) -> TrustedProxies:
    """Build what the proxies in front are asked about a request."""
    return TrustedProxies(settings.trusted_proxies or (), settings.forwarded_header, settings.root_path or "")


def build_keys_document(settings: Settings, destinations: Destinations) -> KeysDocument | None:
    """Build what fetches the keys of those who make tokens, if there are to be tokens."""
    if settings.jwt_jwks_url is None:
        return None
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
    bounds = ConnectionBounds(settings.max_header_bytes, settings.header_timeout, settings.stall_timeout)
    return partial(BoundedProtocol, bounds=bounds)


def _lockout(settings: Settings) -> Lockout:
    return Lockout(failures=settings.lockout_failures, window=settings.lockout_window)


def build_tracing(settings: Settings) -> Tracing | None:
    """Build what traces requests, if traces go anywhere; otherwise nothing of it is loaded."""
    if settings.otlp_endpoint is None:
        return None
    from app.telemetry.otlp import span_exporter  # noqa: PLC0415 - loads the SDK
    from app.telemetry.tracing import Tracing  # noqa: PLC0415

    exporter = span_exporter(settings.otlp_endpoint, settings.otlp_header_fields(), seconds=_EXPORT_SECONDS)
    return Tracing(exporter, _resource(), share=settings.trace_sampling)


def build_log_export(settings: Settings) -> LogExport | None:
    """Build what sends log lines to a collector, if that is wanted; otherwise nothing of it is loaded."""
    if settings.otlp_endpoint is None or not settings.otlp_logs:
        return None
    from app.telemetry.otlp import LogExport, log_exporter  # noqa: PLC0415 - loads the SDK

    exporter = log_exporter(settings.otlp_endpoint, settings.otlp_header_fields(), seconds=_EXPORT_SECONDS)
    return LogExport(exporter, _resource())


def _resource() -> dict[str, str]:
    return {"service.name": "umail-gateway", "service.version": __version__}


def watch(metrics: Metrics, shedder: Shedder, policies: Policies, state: State) -> None:
    """Have the gauges show what is counted where it happens."""

    def sample() -> None:
        metrics.requests_in_progress(shedder.under_way)
        for which in ("tenant", "upstream"):
            metrics.slots(which, *policies.bulkheads.standing(which))
        metrics.breakers_open(policies.breakers.refusing())
        kept = state.answers.usage()
        metrics.cache_size(kept.entries, kept.size, kept.evicted)

    metrics.sample_with(sample)
