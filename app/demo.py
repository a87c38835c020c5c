"""The sandbox, alone or with a gateway in the same process, for a first look."""

import asyncio
import socket
from tempfile import TemporaryDirectory
from typing import Literal

import httpx2
import typer
import uvicorn
from pydantic import SecretStr

from app.main import create_app
from app.sandbox import DEMO_PACE, Account, Sandbox
from app.settings import Settings
from app.storage.database.database import Database
from app.telemetry.logs import configure_logging
from app.tenants.api_keys import generate_key, hash_key
from app.tenants.master_keys import generate_master_key
from app.tenants.models import ApiKey, Scope, SmtpAccount, Tenant, UpstreamAccount
from app.tenants.store import MemoryTenantStore
from app.wiring.security import build_protocol

_ACCOUNTS: dict[str, Literal["customer", "manager"]] = {"demo": "manager", "empty": "customer", "shop": "customer"}
"""The sandbox's accounts and their roles; the manager may act for both customers, and `shop` has no tenant."""
_FIRST_CAMPAIGN = {
    "template_ids": [255201],
    "list_id": 418801,
    "sender": {"type": "any"},
    "from_name": "Demo",
    "schedule": {"mode": "hold"},
}
_GREETING = """
U-Mail gateway demo

  Documentation  {url}/docs
  API key        {demo_key}
  Second tenant  {empty_key}   (an empty account)
  Sandbox        {sandbox}

  curl -H 'Authorization: Bearer {demo_key}' {url}/v1/lists

Nothing of it outlives Ctrl-C.
"""


async def run_demo(*, port: int, sandbox_port: int, collector: str | None = None) -> None:
    """Serve until interrupted: the sandbox, and a gateway with a seeded and an empty tenant on it."""
    configure_logging("WARNING")
    keys = {"demo": generate_key(), "empty": generate_key()}
    accounts = [
        Account(username=name, password=generate_key(), role=role, seeded=name != "empty")
        for name, role in _ACCOUNTS.items()
    ]
    sandbox = Sandbox(accounts=accounts, smtp=True, pace=DEMO_PACE)
    await sandbox.start(host="127.0.0.1", port=sandbox_port)
    try:
        tenants = [_tenant(each, keys[each.username], sandbox) for each in accounts if each.username in keys]
        with TemporaryDirectory(prefix="umail-gateway-") as folder:
            await _Server(_config(tenants, port, collector, folder), keys, sandbox.base_url).serve()
    finally:
        await sandbox.stop()


async def run_sandbox(*, host: str, port: int, smtp_port: int) -> None:
    """Serve the sandbox alone until interrupted, with the accounts demo/demo (seeded) and empty/empty."""
    names = ("demo", "empty")
    accounts = [Account(username=name, password=name, role="customer", seeded=name == "demo") for name in names]
    sandbox = Sandbox(accounts=accounts, smtp=True, pace=DEMO_PACE)
    await sandbox.start(host=host, port=port, smtp_port=smtp_port)
    typer.echo(f"SMTP relay at {host}:{sandbox.smtp_port}\nU-Mail sandbox at {sandbox.base_url}")
    try:
        await asyncio.Event().wait()
    finally:
        await sandbox.stop()


def _config(tenants: list[Tenant], port: int, collector: str | None, folder: str) -> uvicorn.Config:
    settings = Settings.model_construct(
        tenants_url="",
        master_key=SecretStr(generate_master_key()),
        port=port,
        audit_log="off",
        otlp_endpoint=collector,
        duplicate_window=0.0,
    )
    app = create_app(settings, tenants=MemoryTenantStore(tenants), database=Database(f"sqlite:///{folder}/gateway.db"))
    return uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=build_protocol(settings),
        timeout_graceful_shutdown=2,
    )


def _tenant(account: Account, key: str, sandbox: Sandbox) -> Tenant:
    return Tenant(
        id=account.username,
        name=f"{account.username.title()} tenant",
        upstream=UpstreamAccount(
            base_url=sandbox.base_url, username=account.username, password=SecretStr(account.password)
        ),
        smtp=_relay(account, sandbox) if account.seeded else None,
        role=account.role,
        keys=(ApiKey(id="demo", sha256=hash_key(key), scopes=_scopes(account)),),
    )


def _scopes(account: Account) -> frozenset[Scope]:
    return frozenset(Scope) if account.role == "manager" else frozenset(Scope) - {Scope.MANAGE}


def _relay(account: Account, sandbox: Sandbox) -> SmtpAccount:
    # Every mailbox of a seeded account has this password.
    mailbox = f"news@{account.username}.example"
    return SmtpAccount(host="127.0.0.1", port=sandbox.smtp_port, username=mailbox, password=SecretStr("sandbox"))


async def _create_first_campaign(url: str, key: str) -> None:
    """Create the held campaign that the API's documentation asks after."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "first-campaign"}
    async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
        await client.post("/v1/campaigns", json=_FIRST_CAMPAIGN)


class _Server(uvicorn.Server):
    """A server that greets once it listens, when the port is known."""

    def __init__(self, config: uvicorn.Config, keys: dict[str, str], sandbox_url: str) -> None:
        super().__init__(config)
        self._keys = keys
        self._sandbox_url = sandbox_url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then print where and with which keys."""
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        await _create_first_campaign(url, self._keys["demo"])
        keys = {f"{name}_key": key for name, key in self._keys.items()}
        typer.echo(_GREETING.format(url=url, sandbox=self._sandbox_url, **keys))
