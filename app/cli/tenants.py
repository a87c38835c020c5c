"""`umail-gateway tenants`: who may use the gateway, and their U-Mail logins."""

from typing import Annotated, Any

import typer

from app.cli.options import (
    AuthOption,
    BaseUrl,
    Cache,
    Ceiling,
    FromStdin,
    Id,
    Name,
    Preflight,
    RoleOption,
    Security,
    TwoPersons,
    Unasked,
    Username,
    Watched,
    given,
    lifetimes,
    limits,
)
from app.cli.starting import AsJson, administer, checked, fail, load_settings
from app.cli.terminal import confirm, print_fields, print_json, print_table, read_password
from app.storage.tenants.models import TenantPatch, TenantRecord
from app.storage.tenants.repository import TenantRepository
from app.tenants.models import SmtpAccount, Tenant, UpstreamAccount
from app.wiring.gateway import probing
from app.wiring.storage import build_destinations

_AT_ONCE = 500
_USUAL_ENDS = ("/mm-ms/apinew", "/mm-ms/api")

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Tenants and their U-Mail logins, in the database.")


@app.command("add")
def add(
    tenant_id: Id,
    username: Annotated[str, typer.Option(help="The user at U-Mail.")],
    name: Name = None,
    base_url: BaseUrl = None,
    auth: AuthOption = None,
    role: RoleOption = None,
    smtp_host: Annotated[str | None, typer.Option(help="Host of the SMTP relay.", show_default=False)] = None,
    smtp_port: Annotated[int | None, typer.Option(show_default=False)] = None,
    smtp_security: Annotated[Security | None, typer.Option(show_default=False)] = None,
    smtp_username: Annotated[str | None, typer.Option(help="Asks for a second password.", show_default=False)] = None,
    requests_per_minute: Ceiling = None,
    concurrency: Ceiling = None,
    campaigns_per_hour: Ceiling = None,
    require_preflight: Preflight = None,
    two_persons: TwoPersons = None,
    events: Watched = None,
    password_stdin: FromStdin = False,
    no_probe: Unasked = False,
    as_json: AsJson = False,
) -> None:
    """Add a tenant, if the platform accepts its login; asks for the U-Mail password."""
    login: dict[str, Any] = {"base_url": base_url, "auth": auth, "username": username}
    relay: dict[str, Any] = {"host": smtp_host, "port": smtp_port, "security": smtp_security, "username": smtp_username}
    ceilings = limits(requests_per_minute, concurrency, campaigns_per_hour)
    login["password"] = read_password("U-Mail password", from_stdin=password_stdin)
    if smtp_username is not None:
        relay["password"] = read_password("SMTP password", from_stdin=password_stdin)
    fields = {"id": tenant_id, "name": name or tenant_id, "role": role, "upstream": given(login)}
    rules = {
        "limits": ceilings or None,
        "sends": given({"require_preflight": require_preflight, "two_persons": two_persons}) or None,
        "events": given({"enabled": events}) or None,
    }
    tenant = checked(Tenant, given({**fields, "smtp": given(relay) or None, **rules}))
    _warn(tenant.upstream)

    async def work(repository: TenantRepository) -> TenantRecord:
        if not no_probe:
            await check_login(tenant)
        return await repository.add(tenant)

    _print(administer(work), as_json=as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the tenants."""
    records = administer(_all)
    if as_json:
        print_json([record.model_dump(mode="json") for record in records])
        return
    print_table(
        ("id", "name", "enabled", "role", "base url", "username", "changed"),
        ((r.id, r.name, r.enabled, r.role, r.upstream.base_url, r.upstream.username, r.updated_at) for r in records),
    )


@app.command()
def show(tenant_id: Id, as_json: AsJson = False) -> None:
    """Show a tenant, without its secrets."""
    _print(administer(lambda repository: repository.get(tenant_id)), as_json=as_json)


@app.command()
def edit(
    tenant_id: Id,
    name: Name = None,
    role: RoleOption = None,
    requests_per_minute: Ceiling = None,
    concurrency: Ceiling = None,
    campaigns_per_hour: Ceiling = None,
    cache: Cache = None,
    require_preflight: Preflight = None,
    two_persons: TwoPersons = None,
    events: Watched = None,
    as_json: AsJson = False,
) -> None:
    """Change a tenant's name, role, limits, lifetimes or rules; without any of these nothing changes."""
    sends = given({"require_preflight": require_preflight, "two_persons": two_persons})
    watched = given({"enabled": events})
    ceilings = limits(requests_per_minute, concurrency, campaigns_per_hour)

    async def work(repository: TenantRepository) -> TenantRecord:
        record = await repository.get(tenant_id)
        changed = {
            "limits": {**record.limits.model_dump(), **ceilings} if ceilings else None,
            "cache": {**record.cache, **lifetimes(cache)} if cache else None,
            "sends": {**record.sends.model_dump(), **sends} if sends else None,
            "events": {**record.events.model_dump(), **watched} if watched else None,
        }
        patch = checked(TenantPatch, given({"name": name, "role": role, **changed}))
        if not patch.model_fields_set:
            typer.echo("Nothing was changed: name what is to change.", err=True)
            return record
        return await repository.update(tenant_id, patch, revision=record.revision)

    _print(administer(work), as_json=as_json)


@app.command()
def relay(
    tenant_id: Id,
    host: Annotated[str | None, typer.Option(help="Without it, the tenant has no relay.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(show_default=False)] = None,
    security: Annotated[Security | None, typer.Option(show_default=False)] = None,
    username: Annotated[str | None, typer.Option(help="Asks for a password.", show_default=False)] = None,
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Replace a tenant's SMTP relay, or take it away."""
    fields: dict[str, Any] = given({"host": host, "port": port, "security": security, "username": username})
    if username is not None:
        fields["password"] = read_password("SMTP password", from_stdin=password_stdin)
    account = checked(SmtpAccount, fields) if fields else None
    _print(administer(lambda repository: repository.update(tenant_id, TenantPatch(smtp=account))), as_json=as_json)


@app.command()
def rotate(
    tenant_id: Id,
    base_url: BaseUrl = None,
    auth: AuthOption = None,
    username: Username = None,
    password_stdin: FromStdin = False,
    no_probe: Unasked = False,
    as_json: AsJson = False,
) -> None:
    """Give a tenant a new U-Mail password, and if need be another user or platform, if these are accepted there."""
    password = read_password("new U-Mail password", from_stdin=password_stdin)
    changes = given({"base_url": base_url, "auth": auth, "username": username})

    async def work(repository: TenantRepository) -> TenantRecord:
        record = await repository.get(tenant_id)
        login = checked(UpstreamAccount, {**record.upstream.model_dump(), **changes, "password": password})
        _warn(login)
        await repository.stage(tenant_id, login)
        try:
            if not no_probe:
                await check_login(await repository.open(tenant_id, staged=True))
        except BaseException:
            await repository.rollback(tenant_id)
            raise
        return await repository.confirm(tenant_id)

    _print(administer(work), as_json=as_json)


@app.command()
def enable(tenant_id: Id, as_json: AsJson = False) -> None:
    """Let a tenant's requests pass again."""
    _print(administer(lambda repository: repository.update(tenant_id, TenantPatch(enabled=True))), as_json=as_json)


@app.command()
def disable(tenant_id: Id, as_json: AsJson = False) -> None:
    """Refuse all requests of a tenant."""
    _print(administer(lambda repository: repository.update(tenant_id, TenantPatch(enabled=False))), as_json=as_json)


@app.command()
def remove(tenant_id: Id, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete a tenant and its keys for good."""
    confirm("Delete the tenant and all its keys for good?", yes=yes)
    administer(lambda repository: repository.delete(tenant_id))


@app.command()
def probe(tenant_id: Id) -> None:
    """Ask the platform whether a tenant's U-Mail login is right; ends with 1 if it does not say so."""

    async def work(repository: TenantRepository) -> None:
        await check_login(await repository.open(tenant_id))

    administer(work)
    typer.echo("accepted")


async def check_login(tenant: Tenant) -> None:
    """Try a tenant's U-Mail login; a command whose login the platform does not accept ends, and saves nothing."""
    settings = load_settings({})
    if refusal := build_destinations(settings).refusal(tenant):
        fail(refusal)
    async with probing(settings) as prober:
        probe = await prober.probe(tenant)
    if probe.outcome != "accepted":
        usual = tenant.upstream.base_url.rstrip("/").endswith(_USUAL_ENDS)
        hint = "" if usual else f" Should {tenant.upstream.base_url} end in /mm-ms/apinew/?"
        fail(f"{probe.outcome}: {probe.detail}{hint}", code=1)


def _warn(login: UpstreamAccount) -> None:
    if login.sends_password_in_clear:
        typer.echo("The base URL is plain http: the password crosses the network in clear.", err=True)


async def _all(repository: TenantRepository) -> list[TenantRecord]:
    records: list[TenantRecord] = []
    while len(records) < (page := await repository.list(offset=len(records), limit=_AT_ONCE)).total and page.items:
        records += page.items
    return records


def _print(record: TenantRecord, *, as_json: bool) -> None:
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    smtp = record.smtp
    fields = record.model_dump(exclude={"upstream", "smtp", "limits", "sends", "events", "cache", "staged"})
    print_fields(
        {
            **fields,
            **record.upstream.model_dump(),
            "smtp": smtp and f"{smtp.username or ''}@{smtp.host}:{smtp.port} ({smtp.security})".removeprefix("@"),
            **record.limits.model_dump(),
            **record.sends.model_dump(),
            "events": record.events.enabled,
            "cache": [f"{operation}={seconds:g}" for operation, seconds in record.cache.items()],
            "staged login": record.staged and f"{record.staged.username} at {record.staged.base_url}",
        }
    )
