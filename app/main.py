"""The wiring: settings in, application out."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api import handlers, service
from app.api.deps import check_request
from app.api.middleware import AuthenticationMiddleware, BodyLimitMiddleware, RequestContextMiddleware
from app.api.openapi import TITLE, install_openapi
from app.api.pages import install_pages
from app.errors import GatewayError
from app.gateway.call import ExportLimits, Gateway
from app.gateway.clock import PlatformClock
from app.gateway.locks import Locks
from app.gateway.operation import DeadlineClass
from app.messages.connection import Waits
from app.messages.pool import RelayPool
from app.messages.submitter import Submitter
from app.resources import ROUTERS
from app.resources.imports.limits import ImportLimits
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.observer import TelemetryObserver
from app.tenants.file import FileTenantStore
from app.tenants.store import TenantStore
from app.upstream.client import UpstreamClient


def create_app(
    settings: Settings,
    *,
    tenants: TenantStore | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    now: Callable[[], datetime] | None = None,
) -> FastAPI:
    """Build the gateway.

    Args:
        settings: everything configurable.
        tenants: the tenant store, instead of the one `settings.tenants_url` names.
        transport: the upstream transport, instead of a connection pool.
        now: returns the current time as an aware datetime, instead of the system's clock.

    Raises:
        app.tenants.file.TenantsFileError: the tenants file cannot be used.
    """
    store = tenants or FileTenantStore(Path(settings.tenants_url.removeprefix("file:")))
    metrics = Metrics()
    clock = PlatformClock(ZoneInfo(settings.upstream_timezone), now)
    submitter = _submitter(settings, clock, metrics)
    client = UpstreamClient(transport or _pool(settings), max_reply_bytes=settings.max_reply_bytes)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with store.running():
            app.state.ready = True
            try:
                yield
            finally:
                app.state.ready = False
                await client.aclose()
                await submitter.aclose()

    app = FastAPI(
        title=TITLE,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        separate_input_output_schemas=True,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.ready = False
    app.state.metrics = metrics
    app.state.locks = Locks()
    app.state.platform_clock = clock
    app.state.submitter = submitter
    app.state.import_limits = _import_limits(settings)
    app.state.gateway = _gateway(settings, client, metrics)
    app.add_middleware(AuthenticationMiddleware, tenants=store)
    app.add_middleware(
        BodyLimitMiddleware,
        max_bytes=settings.max_body_bytes,
        exceptions={"/v1/lists/{list_id}/imports": settings.max_import_bytes},
    )
    app.add_middleware(RequestContextMiddleware, metrics=metrics)
    app.add_exception_handler(GatewayError, handlers.on_gateway_error)
    app.add_exception_handler(HTTPException, handlers.on_http_exception)
    app.add_exception_handler(RequestValidationError, handlers.on_validation_error)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(check_request)])
    app.include_router(service.router)
    install_openapi(app)
    install_pages(app)
    return app


def _pool(settings: Settings) -> httpx2.AsyncHTTPTransport:
    limits = httpx2.Limits(
        max_connections=settings.upstream_connections, max_keepalive_connections=settings.upstream_connections
    )
    return httpx2.AsyncHTTPTransport(limits=limits, trust_env=False)


def _gateway(settings: Settings, client: UpstreamClient, metrics: Metrics) -> Gateway:
    return Gateway(
        client,
        zone=ZoneInfo(settings.upstream_timezone),
        connect_timeout=settings.connect_timeout,
        deadlines={
            DeadlineClass.INTERACTIVE: settings.interactive_timeout,
            DeadlineClass.WRITE: settings.write_timeout,
            DeadlineClass.EXPORT: settings.export_timeout,
            DeadlineClass.UPLOAD: settings.upload_timeout,
        },
        observer=TelemetryObserver(metrics),
        export_limits=ExportLimits(settings.export_idle_timeout, settings.max_record_length),
    )


def _import_limits(settings: Settings) -> ImportLimits:
    return ImportLimits(
        rows=settings.max_import_rows,
        idle=settings.import_idle_timeout,
        wait=settings.import_wait_max,
        poll=settings.import_poll_interval,
    )


def _submitter(settings: Settings, clock: PlatformClock, metrics: Metrics) -> Submitter:
    @cache
    def tls() -> ssl.SSLContext:
        # Reading the system's authorities takes a while, and most relays have no TLS.
        context = ssl.create_default_context()
        if settings.smtp_ca_file:
            context.load_verify_locations(cafile=settings.smtp_ca_file)
        return context

    waits = Waits(settings.smtp_connect_timeout, settings.smtp_reply_timeout, settings.smtp_timeout)
    pool = RelayPool(waits, tls, size=settings.smtp_connections, idle_seconds=settings.smtp_idle_timeout)
    return Submitter(pool, deadline=waits.total, now=clock.now, observer=TelemetryObserver(metrics))
