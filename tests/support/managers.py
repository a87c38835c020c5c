"""A manager and the customer it acts for, on one sandbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from app.sandbox import Account, Sandbox
from tests.support.running import client_of, make_app
from tests.support.tenants import KEY, make_tenant


@dataclass(frozen=True)
class Managed:
    """Clients of a manager and of its customer, and the customer's id."""

    manager: httpx2.AsyncClient
    customer: httpx2.AsyncClient
    customer_id: int
    sandbox: Sandbox


@asynccontextmanager
async def managed() -> AsyncIterator[Managed]:
    """Run a gateway with both as tenants."""
    accounts = [Account("boss", "boss-password", role="manager"), Account("shop", "shop-password")]
    async with Sandbox(accounts) as sandbox:
        boss, shop = (
            make_tenant(
                tenant_id=each.username,
                base_url=sandbox.base_url,
                password=each.password,
                role=each.role,
                suffix=each.username,
            )
            for each in accounts
        )
        app = make_app([boss, shop])
        async with client_of(app, KEY + "boss") as manager:
            headers = {"Authorization": f"Bearer {KEY}shop"}
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app), base_url="http://gateway", headers=headers
            ) as customer:
                yield Managed(manager, customer, sandbox.state("shop").customer_id, sandbox)
