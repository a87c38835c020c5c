"""Serving, and saying what runs."""

import logging
import platform
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import structlog
import typer
import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.supervisors import Multiprocess

from app.cli.starting import fail
from app.settings import Settings
from app.wiring.storage import administration

log = structlog.get_logger("app.start")

_LOGIN = re.compile(r"//[^/@\s]*@")
_AT_ONCE = 500
_STORE_SECONDS = 2.0


_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class ProbesOnly:
    """Answers what is asked about a process that serves nothing else."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] == "http" and scope["path"] not in _PROBES:
            await Response(status_code=404)(scope, receive, send)
        else:
            await self._application(scope, receive, send)


class AnnouncingServer(uvicorn.Server):
    """A server that says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then announce the address."""
        await super().startup(sockets)
        for server in self.servers[:1]:
            host, port = server.sockets[0].getsockname()[:2]
            self._announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def bind(settings: Settings) -> list[socket.socket]:
    """Take the addresses to listen on; a command that cannot have one ends."""
    addresses = [(settings.host, settings.port)]
    if settings.management_port is not None:
        addresses.append((settings.management_host, settings.management_port))
    return [_bound(*address) for address in addresses]


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        # It listens only once the application is ready.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        fail(f"cannot listen on port {port} of {host}: {error.strerror}", code=3)
    listener.set_inheritable(True)
    return listener


def run(application: Any, announce: Callable[[str], None], sockets: list[socket.socket], **options: Any) -> None:
    """Serve in this process until interrupted."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = AnnouncingServer(uvicorn.Config(application, **options), announce)
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        raise typer.Exit(3)


def run_workers(application: str, sockets: list[socket.socket], **options: Any) -> None:
    """Serve in several processes, all of them on all sockets, until interrupted."""
    Multiprocess(uvicorn.Config(application, factory=True, **options), sockets).run()


def announce_listening(settings: Settings, url: str, **facts: Any) -> None:
    """Say that requests may come."""
    if settings.management_port is not None:
        facts["management"] = f"http://{settings.management_host}:{settings.management_port}"
    log.info("listening", url=url, documentation=f"{url}/docs", **facts)


async def announce_start(settings: Settings, workers: int) -> None:
    """Say what is about to run and on what, and warn of what an operator may have overlooked.

    Raises:
        DatabaseError: the database cannot be used.
    """
    facts: dict[str, Any] = {
        "version": version("umail-gateway"),
        "python": platform.python_version(),
        "workers": workers,
        "database": _LOGIN.sub("//", settings.database()),
        "store": _LOGIN.sub("//", settings.state_url.get_secret_value()),
        "cache": f"{settings.cache_bytes // (1024 * 1024)} MiB" if settings.cache_bytes else "off",
        "tenants_from": settings.tenants_url,
    }
    if settings.shares_state:
        facts["store_answers"] = await _answers(settings)
    in_clear = 0
    if settings.tenants_in_database:
        async with administration(settings) as repository:
            page = await repository.list(limit=_AT_ONCE)
        facts["tenants"] = page.total
        facts["tenants_enabled"] = sum(tenant.enabled for tenant in page.items)
        in_clear = sum(tenant.upstream.base_url.startswith("http://") for tenant in page.items)
    log.info("starting", **facts)
    if facts.get("tenants") == 0:
        log.warning("no_tenants", advice="add one with: umail-gateway tenants add ID --username USER")
    if facts.get("store_answers") is False:
        log.warning("store_unreachable", consequence="every process keeps its own limits until the store answers")
    if in_clear:
        log.warning("password_sent_in_clear", count=in_clear, reason="the base URL is plain http")
    if settings.admin_token is None and settings.tenants_in_database:
        log.info("admin_off", advice="set UMAIL_GATEWAY_ADMIN_TOKEN for /admin/v1 and the status page")
    if settings.tenants_in_database and settings.master_key is None and settings.master_key_file is None:
        log.warning("master_key_kept_with_data", folder=str(settings.data_dir), advice="keep a copy elsewhere")


async def _answers(settings: Settings) -> bool:
    from app.storage.valkey import answers, connect  # noqa: PLC0415 - the client takes 9 MB and 0.1 s to load

    client = connect(settings.state_url.get_secret_value(), timeout=_STORE_SECONDS)
    try:
        return await answers(client)
    finally:
        await client.aclose(close_connection_pool=True)
