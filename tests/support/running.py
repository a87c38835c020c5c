"""Running the real application in a test."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx2
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from app.storage.database.database import Database
from app.tenants.models import Tenant
from app.tenants.store import MemoryTenantStore
from app.upstream.wire import Transport
from tests.support.conformance import check_response
from tests.support.databases import fresh_database
from tests.support.library import LibraryTransport
from tests.support.tenants import KEY

CHECKED = {"response": [check_response]}


ONCE_AND_FRESH: dict[str, Any] = {
    "cache_lifetimes": {"*": 0},
    "retry_attempts": 1,
    "breaker_minimum_calls": 1_000_000,
    "login_refusals": 1_000_000,
    "duplicate_window": 0,
    "send_lookup_time": 0,
    "lockout_failures": 1_000_000,
    "events_in_serve": False,
}
"""Settings under which every request reaches the platform, once: for tests of anything but the policies."""


def make_settings(**overrides: Any) -> Settings:
    """Return settings that depend on nothing around the test."""
    fixed = {"tenants_url": "file:unused", "_env_file": None, **ONCE_AND_FRESH}
    if "data_dir" not in overrides:
        fixed["database_url"] = "sqlite:///unused.db"
    return Settings(**{**fixed, **overrides})


def make_app(
    tenants: Iterable[Tenant],
    transport: Transport | httpx2.AsyncBaseTransport | None = None,
    now: Callable[[], datetime] | None = None,
    database: Database | None = None,
    **settings: Any,
) -> FastAPI:
    """Build the application for a fixed set of tenants."""
    return create_app(
        make_settings(**settings),
        tenants=MemoryTenantStore(tenants),
        transport=LibraryTransport(transport) if isinstance(transport, httpx2.AsyncBaseTransport) else transport,
        database=database or fresh_database(),
        now=now,
    )


@asynccontextmanager
async def client_of(app: FastAPI, key: str | None = KEY) -> AsyncIterator[httpx2.AsyncClient]:
    """Start the application and yield a client whose requests carry `key`."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://gateway", headers=headers, event_hooks=CHECKED
        ) as client,
    ):
        yield client
