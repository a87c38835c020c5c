"""The wiring: settings in, application out."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import __version__, admin
from app.admin import runtime
from app.admin.console.routes import install_console
from app.admin.console.sessions import Sessions
from app.agents.discovery import METADATA, discovery_routes
from app.agents.endpoint import AgentEndpoint
from app.api import handlers, service
from app.api.caching import FastPath
from app.api.edge import GatewayApplication
from app.api.idempotency import IdempotencyMiddleware
from app.api.openapi import install_openapi
from app.api.openapi_texts import TITLE
from app.api.pages import install_pages
from app.api.routing import add_routes, name_of
from app.errors import GatewayError
from app.gateway.cached_reads import CacheKeys, Reading
from app.gateway.clock import PlatformClock
from app.gateway.sends import Sends
from app.policies.shedding import ByteBudget, Shedder
from app.preflight import router as preflight
from app.readiness import Readiness
from app.resources import ROUTERS
from app.resources.events.documented import described_webhooks
from app.services import ImportLimits, SendLimits, Services
from app.settings import Settings
from app.storage.database.database import Database
from app.storage.events.feed import EventFeed
from app.telemetry.metrics import Metrics
from app.telemetry.observer import RequestTelemetry, TelemetryObserver
from app.telemetry.watches import LoopLag, OutageWatch
from app.telemetry.workers import Workers
from app.tenants.store import TenantStore
from app.tenants.vault import Fingerprints, Vault
from app.upstream.client import UpstreamClient
from app.upstream.transport import GuardedTransport
from app.upstream.wire import Transport
from app.wiring.edge import (
    build_admin_credential,
    build_authenticator,
    build_keys_document,
    build_tracing,
    build_ways_in,
    watch,
)
from app.wiring.events import build_background, build_receivers
from app.wiring.gateway import build_gateway, build_policies, build_submitter
from app.wiring.state import build_state
from app.wiring.storage import build_destinations, build_master_keys, build_storage


def create_app(
    settings: Settings,
    *,
    tenants: TenantStore | None = None,
    transport: Transport | None = None,
    database: Database | None = None,
    now: Callable[[], datetime] | None = None,
    workers: Workers | None = None,
    around: AbstractAsyncContextManager[None] | None = None,
) -> FastAPI:
    """Build the gateway; what is given stands in the place of what the settings name, `around` goes round it all.

    Raises:
        app.tenants.file.TenantsFileError: the tenants file cannot be used.
        app.telemetry.audit_log.AuditFileError: the file of the audit log cannot be used.
        app.errors.DatabaseError: the database's URL cannot be used, or the master key is missing.
    """
    destinations = build_destinations(settings)
    metrics = Metrics(tenants=settings.metrics_tenants, workers=workers)
    tracing = build_tracing(settings)
    clock = PlatformClock(ZoneInfo(settings.upstream_timezone), now)
    master_keys = build_master_keys(settings)
    storage = build_storage(settings, master_keys, clock, destinations=destinations, tenants=tenants, database=database)
    storage.database.observe_with(metrics.database_used)
    master_key = master_keys.current
    fingerprints = Fingerprints(master_key)
    state = build_state(settings, master_key, metrics)
    policies = build_policies(settings, metrics, fingerprints, state.campaigns)
    sends = Sends(storage.writes)
    submitter = build_submitter(settings, clock, metrics, sends, destinations)
    client = UpstreamClient(
        transport or GuardedTransport(destinations, connections=settings.upstream_connections),
        max_reply_bytes=settings.max_reply_bytes,
    )
    observer = TelemetryObserver(metrics)
    gateway = build_gateway(settings, client, policies, state.cache, observer, clock)
    reading = Reading(
        gateway,
        state.cache,
        CacheKeys(fingerprints, __version__),
        waits=policies.waits,
        lifetimes=settings.cache_lifetimes,
        now=clock.now,
    )
    shedder = Shedder(settings.max_requests)
    watch(metrics, shedder, policies, state)
    token_keys = build_keys_document(settings, destinations)
    events = EventFeed(storage.database)
    background = build_background(settings, storage, gateway, state.cache, clock, metrics, master_keys)
    readiness = Readiness({"database": storage.check, "state": state.check}, needed=frozenset({"database"}))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(client.aclose)
            stack.push_async_callback(submitter.aclose)
            if token_keys is not None:
                stack.push_async_callback(token_keys.aclose)
            for outer in (around or nullcontext(), tracing.running() if tracing else nullcontext()):
                await stack.enter_async_context(outer)
            for part in (agents, storage, state, LoopLag(metrics), OutageWatch(readiness.parts), events):
                await stack.enter_async_context(part.running())
            if settings.runs_events:
                for work in background:
                    await stack.enter_async_context(work.running())
            await stack.enter_async_context(readiness.serving_until_told(settings.drain_time))
            yield

    authenticator = build_authenticator(settings, storage.tenants, token_keys, metrics, master_key, clock)
    operators = build_admin_credential(settings, metrics)
    agents = AgentEndpoint(most_bytes=settings.max_body_bytes)
    ways_in = build_ways_in(
        settings,
        authenticator=authenticator,
        operators=operators,
        limiter=state.limiter,
        fast_path=FastPath(reading),
        resource_metadata=METADATA if settings.jwt_issuer and settings.mcp_enabled else None,
        shedder=shedder,
        telemetry=RequestTelemetry(metrics, tracing),
        observer=observer,
        metrics=metrics,
        usage=storage.usage,
        master_key=master_key,
        clock=clock,
    )
    app = GatewayApplication(
        *ways_in,
        describe_webhooks=described_webhooks,
        title=TITLE,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=name_of,
        separate_input_output_schemas=True,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # The framework's own, which reads the environment and knows nothing of what must stay secret.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = Services(
        gateway=gateway,
        reading=reading,
        sends=sends,
        send_limits=SendLimits(
            duplicate_window=timedelta(minutes=settings.duplicate_window), lookup_seconds=settings.send_lookup_time
        ),
        import_limits=ImportLimits(
            rows=settings.max_import_rows,
            idle=settings.import_idle_timeout,
            wait=settings.import_wait_max,
            poll=settings.import_poll_interval,
            spools=ByteBudget(settings.spool_bytes),
        ),
        submitter=submitter,
        writes=storage.writes,
        usage=storage.usage,
        events=events,
        vault=Vault(master_keys) if settings.keeps_master_key else None,
        credentials=authenticator,
        receivers=build_receivers(settings),
        platform_clock=clock,
        cache=state.cache,
        limiter=state.limiter,
        breakers=policies.breakers,
        readiness=readiness,
        metrics=metrics,
        observer=observer,
        destinations=destinations,
        tenant_repository=storage.repository,
    )
    app.add_middleware(IdempotencyMiddleware, store=storage.writes, observer=observer)
    _route(app, operators=operators is not None)
    if operators is not None and settings.admin_token is not None:
        token = settings.admin_token.get_secret_value()
        install_console(app, Sessions(token, operators, seconds_now=lambda: clock.utc().timestamp()))
    if settings.mcp_enabled:
        app.router.routes.append(agents.route)
    app.router.routes += discovery_routes(issuer=settings.jwt_issuer, agents=settings.mcp_enabled)
    return app


def _route(app: FastAPI, *, operators: bool) -> None:
    """Add what answers requests, errors included."""
    app.add_exception_handler(GatewayError, handlers.on_gateway_error)
    app.add_exception_handler(HTTPException, handlers.on_http_exception)
    app.add_exception_handler(RequestValidationError, handlers.on_validation_error)
    add_routes(app, (*ROUTERS, preflight.router, runtime.router, *admin.ROUTERS, service.router))
    install_openapi(app)
    install_pages(app, operators=operators)
