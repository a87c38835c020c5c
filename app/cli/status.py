"""`umail-gateway status`: all tenants at a glance."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import typer

from app.cli.call import InnerGateway, file_of, inside
from app.cli.config import tenants_path
from app.cli.starting import AsJson, fail, load_settings
from app.cli.terminal import print_json, print_table, shown
from app.errors import DatabaseError
from app.settings import Settings
from app.storage.usage import last_success
from app.telemetry.logs import configure_logging
from app.tenants.document import TenantsFileError
from app.tenants.models import Tenant
from app.wiring.storage import administration, opened_database

app = typer.Typer(rich_markup_mode=None)

_SOON = timedelta(days=14)
_AT_ONCE = 500
_ASKED_AT_ONCE = 8
_NAMES = ("tenant", "enabled", "login", "quota left", "service ends", "keys ending soon", "breaker", "last send")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show each tenant's login, quota, keys that end soon, breaker and last confirmed send; asks the platform.

    Breakers are those of the gateway that listens where the settings say, if it is running and has an ADMIN_TOKEN.
    Ends with 1 if the platform does not accept a login.
    """
    settings = load_settings({})
    configure_logging("ERROR", sys.stderr)
    try:
        rows = asyncio.run(_status(settings))
    except (TenantsFileError, DatabaseError) as error:
        fail(str(error))
    if as_json:
        print_json([{name.replace(" ", "_"): _plain(value) for name, value in row.items()} for row in rows])
    else:
        print_table(_NAMES, [tuple(row.values()) for row in rows])
    if any(row["enabled"] and row["login"] != "accepted" for row in rows):
        raise typer.Exit(1)


async def _status(settings: Settings) -> list[dict[str, Any]]:
    tenants = await _tenants(settings)
    breakers = await _breakers(settings)
    async with opened_database(settings) as database:
        sent = await database.read(last_success)
    asking = asyncio.Semaphore(_ASKED_AT_ONCE)
    async with inside(settings, [tenant for tenant, _ in tenants]) as inner:

        async def row(tenant: Tenant, ending: Sequence[str]) -> dict[str, Any]:
            async with asking:
                login, service = await _asked(inner, tenant)
            values = (
                tenant.id,
                tenant.enabled,
                login,
                service.get("quota_available"),
                service.get("expires_on"),
                list(ending),
                _breaker(breakers, tenant),
                sent.get(tenant.id),
            )
            return dict(zip(_NAMES, values, strict=True))

        return await asyncio.gather(*(row(*each) for each in tenants))


async def _tenants(settings: Settings) -> list[tuple[Tenant, list[str]]]:
    """Return every tenant, with the ids of its keys that end soon."""
    path, soon = tenants_path(settings), datetime.now(UTC) + _SOON
    if path is not None:
        return [(each, [k.id for k in each.keys if k.expires_at and k.expires_at < soon]) for each in file_of(path)]
    found: list[tuple[Tenant, list[str]]] = []
    async with administration(settings) as repository:
        while page := (await repository.list(offset=len(found), limit=_AT_ONCE)).items:
            for record in page:
                keys = (await repository.list_keys(record.id, limit=_AT_ONCE)).items
                ending = [key.id for key in keys if key.expires_at and key.expires_at < soon]
                found.append((await repository.open(record.id), ending))
    return found


async def _asked(inner: InnerGateway, tenant: Tenant) -> tuple[str, dict[str, Any]]:
    if not tenant.enabled:
        return "not asked", {}
    answer = await inner.client.get("/v1/account/service", headers=inner.headers(tenant.id))
    if answer.is_success:
        return "accepted", answer.json()
    return answer.json()["code"], {}


async def _breakers(settings: Settings) -> list[dict[str, Any]] | None:
    if settings.admin_token is None:
        return None
    management = settings.management_port
    host, port = (settings.host, settings.port) if management is None else (settings.management_host, management)
    headers = {"Authorization": f"Bearer {settings.admin_token.get_secret_value()}"}
    try:
        async with httpx2.AsyncClient(timeout=2, trust_env=False) as client:
            answer = await client.get(f"http://{host}:{port}/admin/v1/breakers", headers=headers)
            breakers: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
            return breakers
    except (httpx2.HTTPError, ValueError, KeyError):
        return None


def _breaker(breakers: list[dict[str, Any]] | None, tenant: Tenant) -> str | None:
    if breakers is None:
        return None
    of_platform = [each for each in breakers if each["upstream"] == tenant.upstream.base_url]
    states = {each["state"] for each in of_platform if each["tenant"] in {None, tenant.id}}
    return next((state for state in ("open", "half_open") if state in states), "closed")


def _plain(value: Any) -> Any:
    return shown(value) if isinstance(value, datetime) else value
