"""What every request passes on its way in, as the settings say."""

from collections.abc import Callable
from typing import NamedTuple

from starlette.types import ASGIApp

from app.api.audit import AuditMiddleware
from app.api.entrance.bodies import BodyBounds
from app.api.entrance.entrance import Entrance
from app.api.entrance.first_step import FirstStep
from app.api.entrance.shortcut import KnownReads, Shortcut
from app.api.security.authentication import Authenticator
from app.api.security.cors import CrossOriginMiddleware
from app.gateway.clock import PlatformClock
from app.gateway.reading import Reading
from app.policies.limits.model import RateLimiter
from app.policies.shedding import Shedder
from app.settings import Settings
from app.telemetry.access import AccessLog
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.telemetry.requests import RequestTelemetry
from app.tenants.master_keys import MasterKey
from app.wiring.security import build_addresses, build_audit


class Way(NamedTuple):
    """The way in.

    Args:
        first_step: answers what needs nothing else; None where the process itself keeps nothing that could be at hand.
        entrance: puts all of it in front of an application.
    """

    first_step: FirstStep | None
    entrance: Callable[[ASGIApp], ASGIApp]


def build_entrance(
    settings: Settings,
    *,
    authenticator: Authenticator,
    limiter: RateLimiter,
    known: KnownReads,
    reading: Reading,
    shedder: Shedder,
    telemetry: RequestTelemetry,
    observer: TelemetryObserver,
    metrics: Metrics,
    master_key: MasterKey,
    clock: PlatformClock,
) -> Way:
    """Build the way in; the audit log stands outside of everything.

    Raises:
        app.telemetry.audit_log.AuditFileError: the file of the audit log cannot be used.
    """
    audit = build_audit(settings, metrics, master_key)
    addresses, access = build_addresses(settings), AccessLog()
    first_step = None
    if settings.cache_bytes:
        first_step = FirstStep(
            addresses=addresses,
            shedder=shedder,
            authenticator=authenticator,
            limiter=limiter,
            known=known,
            reading=reading,
            telemetry=telemetry,
            access=access,
        )

    def wrap(app: ASGIApp) -> ASGIApp:
        wrapped: ASGIApp = Entrance(
            app,
            first_step=first_step,
            addresses=addresses,
            shedder=shedder,
            bodies=BodyBounds(
                max_bytes=settings.max_body_bytes,
                exceptions={"/v1/lists/{list_id}/imports": settings.max_import_bytes},
                patience=settings.body_timeout,
            ),
            authenticator=authenticator,
            limiter=limiter,
            shortcut=Shortcut(known, reading),
            telemetry=telemetry,
            observer=observer,
            access=access,
        )
        if settings.cors_origins:
            wrapped = CrossOriginMiddleware(wrapped, origins=settings.cors_origins.split(","))
        return AuditMiddleware(wrapped, **audit, now=clock.utc) if audit else wrapped

    return Way(first_step, wrap)
