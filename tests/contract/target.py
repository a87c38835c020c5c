"""What is fuzzed: the gateway as it is served, in front of the sandbox, with one tenant that may do everything."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from app.sandbox import Account, Sandbox
from app.sandbox.seed import MAILBOX_PASSWORD
from tests.support.gateways import running_gateway

TENANT = "fuzzed"
CUSTOMER = "customer"
SENDER = f"news@{TENANT}.example"
"""The mailbox that may send by the tenant's relay."""
_NEVER = 1_000_000_000
_SETTINGS: Mapping[str, object] = {
    "LOG_LEVEL": "WARNING",
    "DUPLICATE_WINDOW": 0,
    "SEND_LOOKUP_TIME": 0,
    "LOCKOUT_FAILURES": _NEVER,
    # A hostile input that the platform refuses must not have the platform, or the tenant's login, left alone.
    "BREAKER_MINIMUM_CALLS": _NEVER,
    "LOGIN_REFUSALS": _NEVER,
    # Made-up tenants have made-up platforms and relays: none of them is connected to.
    "REFUSED_UPSTREAMS": "0.0.0.0/0,::/0",
    "ALLOWED_UPSTREAMS": "127.0.0.1/32",
    "CONNECT_TIMEOUT": 1,
    "IMPORT_WAIT_MAX": 1,
}


@dataclass(frozen=True)
class Target:
    """A running gateway and what opens it.

    Args:
        url: where it is.
        admin_token: the operators' token.
        key: the tenant's API key, with every scope.
        log: the file in which the gateway's log is.
        known: ids of what is there from the beginning, by the names of the parameters that take them.
    """

    url: str
    admin_token: str = field(repr=False)
    key: str = field(repr=False)
    log: Path
    known: Mapping[str, int]


@asynccontextmanager
async def fuzzed_gateway(folder: Path, **settings: object) -> AsyncIterator[Target]:
    """Run a gateway whose state is all its own.

    Args:
        folder: an empty folder, where it keeps its log and, if no other is set, its database.
        settings: further settings, by the names of their environment variables without the prefix.
    """
    # A manager, so that the endpoints of sub-accounts answer; like every account it has lists and campaigns of its own.
    account = Account(TENANT, secrets.token_hex(8), role="manager", seeded=True)
    customer = Account(CUSTOMER, secrets.token_hex(8), seeded=True)
    sandbox = Sandbox([account, customer], smtp=True)
    await sandbox.start()
    try:
        token = secrets.token_hex(32)
        settings = {
            **_SETTINGS,
            **settings,
            "ADMIN_TOKEN": token,
            "DATA_DIR": folder,
            "AUDIT_LOG": folder / "audit.log",
        }
        async with running_gateway(folder, settings) as gateway:
            key = await _add_tenant(gateway.url, token, account, sandbox)
            yield Target(gateway.url, token, key, folder / "log", _known(sandbox))
    finally:
        await sandbox.stop()


def _known(sandbox: Sandbox) -> Mapping[str, int]:
    own = sandbox.state(TENANT)
    return {
        "customer_id": sandbox.state(CUSTOMER).customer_id,
        "list_id": min(own.lists),
        "template_id": min(own.templates),
    }


async def _add_tenant(url: str, token: str, account: Account, sandbox: Sandbox) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    new_key = {"id": "all", "scopes": ["read", "write", "send", "manage", "webhooks"]}
    async with httpx2.AsyncClient(base_url=f"{url}/admin/v1", headers=headers) as client:
        (await client.post("/tenants", json=_tenant(account, sandbox))).raise_for_status()
        made = await client.post(f"/tenants/{TENANT}/keys", json=new_key)
        return str(made.raise_for_status().json()["key"])


def _tenant(account: Account, sandbox: Sandbox) -> dict[str, Any]:
    relay = {"host": "127.0.0.1", "port": sandbox.smtp_port, "username": SENDER}
    return {
        "id": TENANT,
        "name": "Fuzzed",
        "role": account.role,
        "upstream": {"base_url": sandbox.base_url, "username": account.username, "password": account.password},
        "smtp": {**relay, "password": MAILBOX_PASSWORD},
        "limits": {"requests_per_minute": _NEVER, "concurrency": 1000, "campaigns_per_hour": 100},
    }
