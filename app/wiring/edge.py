"""What every request passes on its way in, as the settings say."""

from collections.abc import Callable
from typing import NamedTuple

from starlette.types import ASGIApp

from app.api.audit import AuditMiddleware
from app.api.authentication import Authenticator
from app.api.body_bounds import BodyBounds
from app.api.cors import CrossOriginMiddleware
from app.api.edge import EdgeMiddleware
from app.api.fast_path import FastPath
from app.api.inner_requests import InnerMiddleware
from app.gateway.clock import PlatformClock
from app.policies.limits.model import RateLimiter
from app.policies.shedding import Shedder
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.telemetry.requests import AccessLog, RequestTelemetry
from app.tenants.master_keys import MasterKey
from app.wiring.security import build_admin_credential, build_audit, build_proxies


class WaysIn(NamedTuple):
    """What stands before the application, for requests from outside and for those that the gateway makes of itself."""

    edge: Callable[[ASGIApp], ASGIApp]
    inner: Callable[[ASGIApp], ASGIApp]


def build_ways_in(
    settings: Settings,
    *,
    authenticator: Authenticator,
    limiter: RateLimiter,
    fast_path: FastPath,
    resource_metadata: str | None,
    shedder: Shedder,
    telemetry: RequestTelemetry,
    observer: TelemetryObserver,
    metrics: Metrics,
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
            operators=build_admin_credential(settings, metrics),
            limiter=limiter,
            fast_path=fast_path,
            resource_metadata=resource_metadata,
            telemetry=telemetry,
            observer=observer,
            access=access,
        )
        if settings.cors_origins:
            wrapped = CrossOriginMiddleware(wrapped, origins=settings.cors_origins.split(","))
        return audited(wrapped)

    def wrap_inner(app: ASGIApp) -> ASGIApp:
        return audited(InnerMiddleware(app, limiter=limiter, observer=observer))

    def audited(app: ASGIApp) -> ASGIApp:
        return AuditMiddleware(app, **audit, now=clock.utc) if audit else app

    return WaysIn(wrap, wrap_inner)
