"""Running the real application in a test."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx2
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from app.tenants.memory import MemoryTenantStore
from app.tenants.models import Tenant
from tests.support.conformance import check_response
from tests.support.tenants import KEY

CHECKED = {"response": [check_response]}


def make_settings(**overrides: Any) -> Settings:
    """Return settings that depend on nothing around the test."""
    return Settings(**{"tenants_url": "file:unused", "_env_file": None, **overrides})


def make_app(
    tenants: Iterable[Tenant],
    transport: httpx2.AsyncBaseTransport | None = None,
    now: Callable[[], datetime] | None = None,
    **settings: Any,
) -> FastAPI:
    """Build the application for a fixed set of tenants."""
    return create_app(make_settings(**settings), tenants=MemoryTenantStore(tenants), transport=transport, now=now)


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
