"""The gateway with its policies on, in front of a platform that misbehaves."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI

from app.sandbox import Account, Sandbox
from app.tenants.models import Tenant
from tests.support.running import CHECKED, make_app
from tests.support.tenants import KEY, make_tenant

POLICIES: dict[str, Any] = {
    "retry_attempts": 3,
    "retry_base": 0.01,
    "retry_cap": 0.02,
    "connect_timeout": 0.5,
    "interactive_timeout": 1.0,
    "write_timeout": 1.0,
    "send_lookup_time": 0.3,
    "duplicate_window": 10,
}
"""Policies as an operator would have them, with waits as short as a test wants them."""

ACCOUNTS = tuple(
    Account(username=name, password=f"{name}-password", role="customer", seeded=True) for name in ("acme", "rival")
)

Campaign = dict[str, Any]


def tenant_of(account: Account, base_url: str, **fields: Any) -> Tenant:
    """Return the tenant of an account; its keys end in its name."""
    return make_tenant(
        tenant_id=account.username, base_url=base_url, password=account.password, suffix=account.username, **fields
    )


def client_for(app: FastAPI, tenant: str) -> httpx2.AsyncClient:
    """Return a client of an application that is running, with a tenant's key."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://gateway",
        headers={"X-API-Key": KEY + tenant},
        event_hooks=CHECKED,
    )


@asynccontextmanager
async def gateway(
    base_url: str, accounts: Sequence[Account] = ACCOUNTS, **settings: Any
) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """Run a gateway; yields a client per account."""
    app = make_app([tenant_of(each, base_url) for each in accounts], **{**POLICIES, **settings})
    async with app.router.lifespan_context(app):
        yield {each.username: client_for(app, each.username) for each in accounts}


def new_campaign(sandbox: Sandbox, account: str = "acme", **changes: Any) -> Campaign:
    """Return a campaign, not to be sent before next year, that a seeded account can create."""
    state = sandbox.state(account)
    return {
        "template_ids": list(state.templates)[:1],
        "list_id": next(iter(state.lists)),
        "sender": {"type": "address", "address": "news@example.com"},
        "from_name": "示例新闻",
        "schedule": {"mode": "at", "at": "2031-03-02T09:30:00+08:00"},
        **changes,
    }


def operations_of(sandbox: Sandbox) -> list[str]:
    """Return the names of the calls that the platform received."""
    return [call.operation for call in sandbox.calls]


def named(sandbox: Sandbox, from_name: str, account: str = "acme") -> list[int]:
    """Return the ids of an account's campaigns with a sender's name."""
    return [each.id for each in sandbox.state(account).campaigns.values() if each.sender_name == from_name]
