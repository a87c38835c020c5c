"""`umail-gateway doctor`: whether the gateway understands what a tenant's real account answers."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.cli.starting import fail, load_settings
from app.cli.terminal import print_json, print_table
from app.doctor.diagnosis import choose
from app.doctor.findings import DestinationRefused, Finding, ReadOutcome, UnknownOperation, UnknownTenant
from app.errors import DatabaseError
from app.gateway.checks import AnyCheck
from app.settings import Settings
from app.storage.tenants.models import RepositoryError
from app.telemetry.logs import configure_logging
from app.tenants.document import TenantsFileError
from app.wiring.gateway import examining

_SHOWN = 5


def examine(
    tenant_id: str, only: Sequence[str], *, pause: float, folder: Path | None, force: bool, as_json: bool
) -> None:
    """Carry the command out: its arguments are those of `app.cli.doctor.doctor`.

    Ends with 1 if a reply drifted or a read was refused, or if there is no such tenant.
    """
    try:
        plan = choose(only)
    except UnknownOperation as error:
        fail(f"--only: {error}")
    settings = load_settings({})
    # Standard output is for results.
    configure_logging("WARNING", sys.stderr)
    try:
        findings = asyncio.run(_examine(settings, tenant_id, plan, pause=pause, folder=folder, force=force))
    except (UnknownTenant, RepositoryError) as error:
        fail(str(error), code=1)
    except (DestinationRefused, TenantsFileError, DatabaseError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"--record: {error.strerror}")
    _print(tenant_id, findings, as_json=as_json)
    if any(finding.is_bad for finding in findings):
        raise typer.Exit(1)


async def _examine(
    settings: Settings, tenant_id: str, plan: Sequence[AnyCheck], *, pause: float, folder: Path | None, force: bool
) -> list[Finding]:
    async with examining(settings, tenant_id, pause=pause, folder=folder, force=force) as examination:
        if folder is not None:
            # Before anything is called, which would be in vain.
            await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        findings = []
        async for finding in examination.findings(plan):
            findings.append(finding)
            if sys.stderr.isatty():
                typer.echo(f"{len(findings)}/{len(plan)} {finding.operation} {finding.outcome}", err=True)
        return findings


def _print(tenant_id: str, findings: Sequence[Finding], *, as_json: bool) -> None:
    counts = {outcome.value: sum(finding.outcome is outcome for finding in findings) for outcome in ReadOutcome}
    if as_json:
        operations = [finding.model_dump(mode="json") for finding in findings]
        print_json({"tenant": tenant_id, "counts": counts, "operations": operations})
        return
    print_table(
        ("operation", "manual", "outcome", "records", "detail"),
        ((each.operation, each.section, each.outcome, each.records, _detail(each)) for each in findings),
    )
    typer.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count))


def _detail(finding: Finding) -> str:
    parts = [f"{each.kind} {each.path}" for each in finding.drift[:_SHOWN]]
    if len(finding.drift) > _SHOWN:
        parts.append(f"and {len(finding.drift) - _SHOWN} more")
    if refusal := finding.refusal:
        said = " ".join(filter(None, (refusal.status, refusal.message)))
        parts.append(f"{refusal.code}: {said or refusal.detail}")
    if finding.reason:
        parts.append(finding.reason)
    if finding.unrecorded:
        parts.append(f"not recorded: {finding.unrecorded}")
    return "; ".join(parts)


app = typer.Typer(rich_markup_mode=None)


@app.command()
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
    examine(tenant_id, only or (), pause=pause, folder=record, force=force, as_json=as_json)
