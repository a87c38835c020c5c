"""The sandbox, alone or with a gateway in the same process, for a first look."""

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from tempfile import TemporaryDirectory
from typing import Any, Literal

import httpx2
import structlog
import typer
import uvicorn
from pydantic import SecretStr

from app.examples import add_dashboard
from app.main import create_app
from app.sandbox import DEMO_PACE, Account, Sandbox
from app.setting_types import IN_MEMORY
from app.settings import Settings
from app.storage.database.database import Database
from app.telemetry.logs import configure_logging
from app.tenants.models import ApiKey, EventRules, Scope, SmtpAccount, Tenant, UpstreamAccount
from app.tenants.store import MemoryTenantStore, generate_key, hash_key
from app.tenants.vault import generate_master_key
from app.wiring.edge import build_protocol

_ACCOUNTS: dict[str, Literal["customer", "manager"]] = {"demo": "manager", "empty": "customer", "shop": "customer"}
"""The sandbox's accounts and their roles; the manager may act for both customers, and `shop` has no tenant."""
_OWN: dict[str, Any] = {
    "tenants_url": "",
    "state_url": SecretStr(IN_MEMORY),
    "master_key_file": None,
    "audit_log": "off",
    "duplicate_window": 0.0,
    "webhook_networks": (ip_network("127.0.0.0/8"), ip_network("::1")),
}
"""Settings that the demo decides: it keeps nothing, and sends what is sent again."""
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
  Example page   {url}/demo#{demo_key}
  For agents     {url}/mcp
  API key        {demo_key}
  Second tenant  {empty_key}   (an empty account)
  Sandbox        {sandbox}

Worth trying: the contact lists, sending a first campaign, watching it

  curl -H 'Authorization: Bearer {demo_key}' {url}/v1/lists
  curl -H 'Authorization: Bearer {demo_key}' -H 'Content-Type: application/json' \\
    {url}/v1/campaigns -d '{campaign}'
  curl -H 'Authorization: Bearer {demo_key}' {url}/v1/campaigns
  curl -H 'Authorization: Bearer {demo_key}' {url}/v1/events

What happens can also be watched: -N -H 'Accept: text/event-stream' keeps the last one open.
Requests are shown below. Nothing of it outlives Ctrl-C.
"""


async def run_demo(settings: Settings, *, sandbox_port: int) -> None:
    """Serve until interrupted: the sandbox, and a gateway with a seeded and an empty tenant on it.

    Raises:
        OSError: a port is in use.
    """
    configure_logging("WARNING")
    keys = {"demo": generate_key(), "empty": generate_key()}
    accounts = [
        Account(username=name, password=generate_key(), role=role, seeded=name != "empty")
        for name, role in _ACCOUNTS.items()
    ]
    sandbox = Sandbox(accounts=accounts, smtp=True, pace=DEMO_PACE)
    with _explained(sandbox_port, "--sandbox-port"):
        await sandbox.start(host="127.0.0.1", port=sandbox_port)
    try:
        with _explained(settings.port, "--port"):
            listener = socket.create_server(("127.0.0.1", settings.port))
        tenants = [_tenant(each, keys[each.username], sandbox) for each in accounts if each.username in keys]
        with TemporaryDirectory(prefix="umail-gateway-") as folder:
            server = _Server(_config(tenants, settings, folder), keys, sandbox.base_url, settings)
            await server.serve([listener])
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


@contextmanager
def _explained(port: int, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        variable = option.removeprefix("--").replace("-", "_").upper()
        advice = f"choose another: `umail-gateway demo {option} {port + 1}` or `make demo {variable}={port + 1}`"
        raise OSError(error.errno, f"port {port} is in use; {advice}") from None


def _config(tenants: list[Tenant], given: Settings, folder: str) -> uvicorn.Config:
    settings = given.model_copy(update=_OWN | {"master_key": SecretStr(generate_master_key())})
    if "cors_origins" not in given.model_fields_set:
        # Pages of localhost, on whichever port; a page must know the key, and that is new each time.
        settings = settings.model_copy(update={"cors_origins": "*"})
    app = create_app(settings, tenants=MemoryTenantStore(tenants), database=Database(f"sqlite:///{folder}/gateway.db"))
    add_dashboard(app)
    return uvicorn.Config(
        app,
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
        events=EventRules(enabled=True, requests_per_minute=120),
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

    def __init__(self, config: uvicorn.Config, keys: dict[str, str], sandbox_url: str, settings: Settings) -> None:
        super().__init__(config)
        self._keys = keys
        self._sandbox_url = sandbox_url
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then print where and with which keys."""
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        await _create_first_campaign(url, self._keys["demo"])
        keys = {f"{name}_key": key for name, key in self._keys.items()}
        campaign = json.dumps({**_FIRST_CAMPAIGN, "schedule": {"mode": "now"}})
        typer.echo(_GREETING.format(url=url, sandbox=self._sandbox_url, campaign=campaign, **keys))
        _show_requests(self._settings)


def _show_requests(settings: Settings) -> None:
    form = "console" if settings.log_format == "auto" else settings.log_format
    configure_logging(settings.log_level, mirror=_only_requests, form=form)
    logging.getLogger().setLevel(logging.WARNING)


def _only_requests(_logger: Any, _method: str, event: Any) -> Any:
    if event.get("level") in {"debug", "info"} and event.get("event") != "request":
        raise structlog.DropEvent
    return event
