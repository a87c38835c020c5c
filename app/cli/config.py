"""`umail-gateway config`: what is configured, and whether it can be used."""

import os
from pathlib import Path
from typing import Annotated

import typer

from app.cli.configuration import nearest_operation, shown_setting, source_of, unknown_operations
from app.cli.starting import AsJson, fail, load_settings
from app.cli.terminal import print_json, print_table
from app.settings import Settings
from app.tenants.document import TenantsFileError, load_tenants, tenants_schema
from app.wiring.storage import build_destinations

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What is configured, and whether it can be used.")


@app.command()
def check(
    tenants: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Check this tenants file, too; by default the one in use.", show_default=False
        ),
    ] = None,
) -> None:
    """Check the settings, and the tenants file if there is one; ends with 2 and one line for each fault."""
    settings = load_settings({})
    path = tenants or tenants_path(settings)
    if path is None:
        typer.echo("The settings are fine. Tenants are in the database.")
        return
    count = check_tenants_file(settings, path)
    typer.echo(f"The settings and {path} are fine: {count} tenants.")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show every setting in effect and where it comes from; secrets are masked."""
    settings = load_settings({})
    rows = [(name.upper(), shown_setting(settings, name), source_of(name)) for name in Settings.model_fields]
    if as_json:
        print_json({name: {"value": value, "source": source} for name, value, source in rows})
        return
    print_table(("setting", "value", "source"), rows)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the tenants file, for editors."""
    print_json(tenants_schema())


def tenants_path(settings: Settings) -> Path | None:
    """Return the tenants file that the settings name."""
    return None if settings.tenants_in_database else Path(settings.tenants_url.removeprefix("file:"))


def check_tenants_file(settings: Settings, path: Path) -> int:
    """Return how many tenants a file has; a command that finds it unusable ends."""
    try:
        loaded = load_tenants(path, os.environ)
    except TenantsFileError as error:
        fail(str(error))
    destinations = build_destinations(settings)
    faults = [
        f"{path}: tenant {tenant.id}, {refusal}"
        for tenant in loaded.tenants
        if (refusal := destinations.refusal(tenant))
    ]
    faults += [
        f"{path}: tenant {tenant.id}, cache: there is no read {name!r}; did you mean {nearest_operation(name)!r}?"
        for tenant in loaded.tenants
        for name in unknown_operations(tenant.cache)
    ]
    if faults:
        fail("\n".join(faults))
    return len(loaded.tenants)
