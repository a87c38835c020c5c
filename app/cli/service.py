"""Running the gateway, and what stands in for the platform."""

import asyncio
import json
from collections.abc import Coroutine
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import structlog
import typer
import yaml
from fastapi import FastAPI
from pydantic import SecretStr

from app.cli.config import check_tenants_file, tenants_path
from app.cli.server import ProbesOnly, announce_listening, announce_start, bind, run, run_workers
from app.cli.starting import fail, load_settings
from app.errors import DatabaseError
from app.main import create_app
from app.settings import Settings
from app.telemetry.audit_log import AuditFileError
from app.telemetry.logs import configure_logging
from app.telemetry.workers import counting_in_files
from app.tenants.document import TenantsFileError
from app.tenants.store import MemoryTenantStore
from app.tenants.vault import generate_master_key
from app.wiring.edge import build_log_export, build_protocol
from app.wiring.storage import prepare
from app.worker import settle_memory


class DocumentForm(StrEnum):
    """How the OpenAPI document is written."""

    JSON = "json"
    YAML = "yaml"


log = structlog.get_logger("app.start")

app = typer.Typer(rich_markup_mode=None)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
) -> None:
    """Run the gateway, configured by UMAIL_GATEWAY_… variables."""
    settings = load_settings({"host": host, "port": port})
    if workers > 1 and not settings.shares_state:
        fail("Several workers cannot share memory:// state: name a Valkey or Redis in UMAIL_GATEWAY_STATE_URL.")
    application, options = _prepared(settings, workers)
    sockets = bind(settings)
    if workers > 1:
        announce_listening(settings, f"http://{settings.host}:{settings.port}", workers=workers)
        with counting_in_files():
            run_workers("app.worker:application", sockets, workers=workers, **options)
    else:
        settle_memory()
        run(application, partial(announce_listening, settings), sockets, **options)


@app.command()
def events(
    host: Annotated[str | None, typer.Option(help="Address to listen on, for probes.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on, for probes.")] = None,
) -> None:
    """Watch the tenants' accounts for events and deliver webhooks, beside gateways that share database and state."""
    settings = load_settings({"host": host, "port": port, "events_in_serve": True})
    application, options = _prepared(settings, 1)
    settle_memory()
    run(ProbesOnly(application), partial(announce_listening, settings), bind(settings), **options)


def _prepared(settings: Settings, workers: int) -> tuple[FastAPI, dict[str, Any]]:
    """Return the gateway and how it is served; what is wrong with its surroundings ends the command."""
    logs = build_log_export(settings)
    configure_logging(settings.log_level, mirror=logs, form=settings.log_format)
    options: dict[str, Any] = {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        # Which proxies to believe is the gateway's own setting.
        "proxy_headers": False,
        "http": build_protocol(settings),
        # None are offered; whatever speaks them and happens to be installed need not be loaded.
        "ws": "none",
        "timeout_graceful_shutdown": settings.shutdown_timeout,
    }
    try:
        # What is wrong with the tenants or the database is told here, once, and not by each worker.
        application = create_app(settings, around=logs.running() if logs else None)
        if (path := tenants_path(settings)) is not None:
            check_tenants_file(settings, path)
        asyncio.run(prepare(settings))
        asyncio.run(announce_start(settings, workers))
    except (TenantsFileError, DatabaseError, AuditFileError) as error:
        fail(str(error))
    return application, options


@app.command("migrate")
def migrate_database() -> None:
    """Bring the database to the form this release needs, and end; `serve` does that too when it starts."""
    # Tenants have no part in it: a job that runs ahead of an upgrade needs to know the database's URL only.
    settings = load_settings({"tenants_url": "file:"})
    configure_logging(settings.log_level, form=settings.log_format)
    try:
        asyncio.run(prepare(settings))
    except DatabaseError as error:
        fail(str(error))
    structlog.get_logger(__name__).info("database_migrated")


@app.command()
def demo(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The gateway's port; 0 takes a free one.")] = None,
    sandbox_port: Annotated[int, typer.Option(min=0, max=65535, help="The sandbox's port; 0 takes a free one.")] = 9000,
    otlp_endpoint: Annotated[str | None, typer.Option(help="A collector's URL, for traces.")] = None,
) -> None:
    """Run gateway and sandbox together with two demo tenants; print their keys and the documentation's URL."""
    from app.demo import run_demo  # noqa: PLC0415 - only this command needs the sandbox and its web server

    settings = load_settings({"port": port, "otlp_endpoint": otlp_endpoint})
    _run(run_demo(settings, sandbox_port=sandbox_port))


@app.command()
def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 9000,
    smtp_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the SMTP relay.")] = 2525,
) -> None:
    """Run the stand-in for the U-Mail platform, with the accounts demo/demo and empty/empty."""
    from app.demo import run_sandbox  # noqa: PLC0415 - only this command needs the sandbox and its web server

    _run(run_sandbox(host=host, port=port, smtp_port=smtp_port))


@app.command()
def openapi(
    form: Annotated[DocumentForm, typer.Option("--format", help="How to write it.")] = DocumentForm.JSON,
) -> None:
    """Print the OpenAPI document."""
    settings = Settings.model_construct(tenants_url="", master_key=SecretStr(generate_master_key()))
    document = create_app(settings, tenants=MemoryTenantStore(())).openapi()
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if form is DocumentForm.YAML:
        # Read back, so that parts that stand in several places are written out in each.
        text = yaml.safe_dump(json.loads(text), allow_unicode=True, sort_keys=False, width=120).rstrip("\n")
    typer.echo(text)


def _run(service: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(service)
    except OSError as error:
        fail(f"cannot listen: {error.strerror}")
