"""`umail-gateway doctor`: whether the gateway understands what a tenant's real account answers."""

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.", show_default=False)],
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this operation and those that tell its ids; several times."),
    ] = None,
    pause: Annotated[float, typer.Option(min=0, max=3600, help="Seconds between two calls.")] = 1.0,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep replies as golden files without anybody's data.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Call every read of a tenant's account, and nothing but reads; tell what did not decode or was unknown.

    Ends with 1 if a reply drifted or a read was refused.
    """
    from app.cli.examining import examine  # noqa: PLC0415 - serving does not need it

    examine(tenant_id, only or (), pause=pause, folder=record, force=force, as_json=as_json)
