"""`umail-gateway keys`: API keys and master keys."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from app.cli.starting import AsJson, administer, checked, fail
from app.cli.terminal import parse_expiry, print_fields, print_json, print_table, shown
from app.storage.tenants.models import CreatedKey, KeyRecord, NewKey
from app.storage.tenants.repository import TenantRepository
from app.tenants.models import Scope
from app.tenants.store import generate_key, hash_key
from app.tenants.vault import generate_master_key

_AT_ONCE = 500

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API keys and master keys.")

TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.", show_default=False)]


@app.command()
def create(
    tenant_id: TenantId,
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may do; several times; read by default.")] = None,
    key_id: Annotated[str | None, typer.Option("--id", help="Its id; made up by default.", show_default=False)] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends: 90d, 12h, or a time.", show_default=False)] = None,
    network: Annotated[list[str] | None, typer.Option(help="Where it may be used from; several times.")] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="A ceiling of its own.", show_default=False)
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            help="Who uses it; keys of one subject are one person. By default it is the key.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key of a tenant; it is shown once."""
    fields = {
        "id": key_id,
        "scopes": scope or [Scope.READ],
        "requests_per_minute": requests_per_minute,
        "expires_at": parse_expiry(expires),
        "networks": network or [],
        "subject": subject,
    }
    new = checked(NewKey, fields)
    created = administer(lambda repository: repository.create_key(tenant_id, new))
    _show(created, as_json=as_json)


@app.command("list")
def list_(
    tenant_id: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Whose keys.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Revoked ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List API keys; they are told apart by how they begin."""

    async def work(repository: TenantRepository) -> list[KeyRecord]:
        records: list[KeyRecord] = []
        while True:
            page = await repository.list_keys(tenant_id, revoked=every, offset=len(records), limit=_AT_ONCE)
            records += page.items
            if len(page.items) < _AT_ONCE:
                return records

    records = administer(work)
    if as_json:
        print_json([record.model_dump(mode="json") for record in records])
        return
    print_table(
        ("tenant", "id", "begins", "scopes", "expires", "networks", "last used", "revoked"),
        ((r.tenant, r.id, r.prefix, r.scopes, r.expires_at, r.networks, r.last_used_at, r.revoked_at) for r in records),
    )


@app.command()
def revoke(
    tenant_id: TenantId,
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id.", show_default=False)],
) -> None:
    """End an API key's validity for good, everywhere within a second."""
    began = datetime.now(UTC)
    record = administer(lambda repository: repository.revoke_key(tenant_id, key_id))
    if record.revoked_at is not None and record.revoked_at < began:
        fail(f"Key {key_id} of {tenant_id} was revoked at {shown(record.revoked_at)} already.", code=1)
    typer.echo(f"Key {key_id} of {tenant_id} is revoked.")


@app.command()
def rotate(
    tenant_id: TenantId,
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key to replace.", show_default=False)],
    overlap: Annotated[str, typer.Option(help="How long the former key stays valid: 24h, 7d.")] = "24h",
    new_id: Annotated[
        str | None, typer.Option("--id", help="The new key's id; made up by default.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key with the same rights, shown once, and let the former one end after an overlap."""
    ends_at = parse_expiry(overlap, "--overlap")

    async def work(repository: TenantRepository) -> tuple[CreatedKey, KeyRecord]:
        return await repository.rotate_key(tenant_id, key_id, ends_at or datetime.now(UTC), new_id=new_id)

    created, former = administer(work)
    _show(created, as_json=as_json)
    if not as_json:
        typer.echo(f"Key {former.id} of {tenant_id} ends at {shown(former.expires_at)}.")


def _show(created: CreatedKey, *, as_json: bool) -> None:
    key, record = created.key.get_secret_value(), created.record
    if as_json:
        print_json({"key": key, **record.model_dump(mode="json")})
        return
    print_fields({"key": key, "id": record.id, "scopes": record.scopes, "expires": record.expires_at})


@app.command("rotate-master")
def rotate_master() -> None:
    """Encrypt all tenants' secrets with the first of the configured master keys; others are then needed no more."""
    count = administer(lambda repository: repository.rotate_master())
    typer.echo(f"{count} tenants were under another master key; all are under the current one now.")


@app.command("generate-master")
def generate_master() -> None:
    """Print a new master key, for UMAIL_GATEWAY_MASTER_KEY; all replicas need the same one."""
    typer.echo(generate_master_key())


@app.command("generate")
def generate() -> None:
    """Print a new API key, once, and the hash to put into a tenants file."""
    key = generate_key()
    typer.echo(f"key:    {key}\nsha256: {hash_key(key)}")
