"""`umail-gateway usage`: what a tenant's keys have asked for and sent."""

import asyncio
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.cli.starting import AsJson, fail, load_settings
from app.cli.terminal import print_json, print_table
from app.errors import DatabaseError
from app.settings import Settings
from app.storage.usage import NOTES, UsageTotals, month_of, usage_of
from app.telemetry.logs import configure_logging
from app.wiring.storage import opened_database

app = typer.Typer(rich_markup_mode=None)


@app.command()
def usage(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.", show_default=False)],
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="The month, in UTC.", show_default="this one")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a tenant's requests and sends of a month, by key."""
    settings = load_settings({})
    configure_logging("WARNING", sys.stderr)
    wanted = month or f"{datetime.now(UTC):%Y-%m}"
    try:
        totals = asyncio.run(_read(settings, tenant_id, wanted))
    except ValueError:
        fail("--month: must be a month such as 2026-11")
    except DatabaseError as error:
        fail(str(error))
    if as_json:
        keys = [asdict(each) for each in totals]
        print_json({"tenant": tenant_id, "month": wanted, "keys": keys, "credits": None, "notes": NOTES})
        return
    names = ("key", "requests", "failed", "campaigns", "messages", "refused", "unknown")
    print_table(names, [tuple(asdict(each).values()) for each in totals])
    typer.echo("\n".join(NOTES), err=True)


async def _read(settings: Settings, tenant_id: str, month: str) -> list[UsageTotals]:
    begins = month_of(month)
    async with opened_database(settings) as database:
        return await database.read(lambda: usage_of(tenant_id, begins))
