"""`umail-gateway call`: any operation of the API, tried from a shell."""

import asyncio
import difflib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import httpx2
import typer
from fastapi import FastAPI

from app.cli.config import tenants_path
from app.cli.starting import AsJson, fail, load_settings
from app.cli.terminal import confirm, print_fields, print_json, print_table
from app.errors import DatabaseError
from app.main import create_app
from app.settings import Settings
from app.storage.tenants.models import RepositoryError
from app.telemetry.logs import configure_logging
from app.tenants.document import TenantsFileError, load_tenants
from app.tenants.models import ApiKey, Scope, Tenant
from app.tenants.store import MemoryTenantStore, generate_key, hash_key
from app.wiring.storage import administration

app = typer.Typer(rich_markup_mode=None)

_REFUSED = 400
_TIMEOUT = 600
_LONGEST_CELL = 40


class Endpoint(NamedTuple):
    """Where an operation is, and which of its fields are of the path and the query; all others are of the body."""

    method: str
    path: str
    in_path: frozenset[str]
    in_query: frozenset[str]
    has_body: bool


class InnerGateway(NamedTuple):
    """A gateway in this process, and what reaches it."""

    application: FastAPI
    client: httpx2.AsyncClient
    key: str

    def headers(self, tenant_id: str) -> dict[str, str]:
        """Return the headers of a request for a tenant."""
        return {"Authorization": f"Bearer {self.key}-{tenant_id}"}


@app.command()
def call(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.", show_default=False)],
    operation: Annotated[
        str, typer.Argument(metavar="OPERATION", help="As in the API's document: list_contact_lists.")
    ],
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUE]...", help="Of path, query or body: schedule.mode=hold.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Carry out one operation of the API for a tenant, without a running gateway; values may be JSON.

    Ends with 1 if it is refused.
    """
    settings = load_settings({})
    configure_logging("ERROR", sys.stderr)
    given = dict(_parsed(each) for each in fields or ())
    try:
        answer = asyncio.run(_call(settings, tenant_id, operation, given, yes=yes))
    except (RepositoryError, LookupError) as error:
        fail(str(error.args[0]), code=1)
    except (TenantsFileError, DatabaseError) as error:
        fail(str(error))
    _print(answer, as_json=as_json)


async def _call(
    settings: Settings, tenant_id: str, operation: str, given: Mapping[str, Any], *, yes: bool
) -> httpx2.Response:
    tenant = await find_tenant(settings, tenant_id)
    async with inside(settings, [tenant]) as inner:
        endpoint = _endpoint(inner.application, operation)
        if endpoint.method != "get":
            confirm(f"{endpoint.method.upper()} {endpoint.path} changes the account of {tenant_id}. Go on?", yes=yes)
        path = endpoint.path
        for name in endpoint.in_path:
            if name not in given:
                fail(f"{operation} needs {name}=…")
            path = path.replace(f"{{{name}}}", quote(_text(given[name]), safe=""))
        query = {name: _text(given[name]) for name in endpoint.in_query & given.keys()}
        known = endpoint.in_path | endpoint.in_query
        rest = {name: value for name, value in given.items() if name not in known}
        if rest and not endpoint.has_body:
            fail(f"{operation} has no field {next(iter(rest))}; it has: {', '.join(sorted(known)) or 'none'}")
        body = _nested(rest) if rest else None
        headers = inner.headers(tenant_id)
        return await inner.client.request(endpoint.method, path, params=query, headers=headers, json=body)


@asynccontextmanager
async def inside(settings: Settings, tenants: Sequence[Tenant]) -> AsyncIterator[InnerGateway]:
    """Run a gateway for some tenants in this process, and give a client whose requests reach it."""
    quiet = {"events_in_serve": False, "audit_log": "off" if settings.audit_log == "stdout" else settings.audit_log}
    key = generate_key()
    known = [_with_key(each, f"{key}-{each.id}") for each in tenants]
    application = create_app(settings.model_copy(update=quiet), tenants=MemoryTenantStore(known))
    transport = httpx2.ASGITransport(application)
    client = httpx2.AsyncClient(transport=transport, base_url=f"http://gateway:{settings.port}", timeout=_TIMEOUT)
    async with application.router.lifespan_context(application), client:
        yield InnerGateway(application, client, key)


async def find_tenant(settings: Settings, tenant_id: str) -> Tenant:
    """Return a tenant with its secrets; raises `LookupError` or `RepositoryError` where there is none."""
    path = tenants_path(settings)
    if path is None:
        async with administration(settings) as repository:
            return await repository.open(tenant_id)
    return next((each for each in file_of(path) if each.id == tenant_id), None) or _missing(tenant_id)


def file_of(path: Path) -> tuple[Tenant, ...]:
    """Return the tenants in a file."""
    return tuple(load_tenants(path, os.environ).tenants)


def _missing(tenant_id: str) -> Tenant:
    raise LookupError(f"There is no tenant {tenant_id}.")


def _with_key(tenant: Tenant, key: str) -> Tenant:
    known = ApiKey(id="command-line", sha256=hash_key(key), scopes=frozenset(Scope))
    return tenant.model_copy(update={"keys": (known,)})


def _endpoint(application: FastAPI, operation: str) -> Endpoint:
    found = {
        each["operationId"]: (method, path, each.get("parameters", ()), "requestBody" in each)
        for path, methods in application.openapi()["paths"].items()
        for method, each in methods.items()
        if path.startswith("/v1/")
    }
    if operation not in found:
        near = difflib.get_close_matches(operation, found, n=1, cutoff=0)[0]
        fail(f"There is no operation {operation}; did you mean {near}?")
    method, path, parameters, has_body = found[operation]
    where = {kind: frozenset(each["name"] for each in parameters if each["in"] == kind) for kind in ("path", "query")}
    return Endpoint(method, path, where["path"], where["query"], has_body)


def _parsed(field: str) -> tuple[str, Any]:
    name, sign, text = field.partition("=")
    if not sign:
        fail(f"{field!r} must be like field=value")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, value in fields.items():
        *parents, last = name.split(".")
        at = body
        for each in parents:
            at = at.setdefault(each, {})
        at[last] = value
    return body


def _print(answer: httpx2.Response, *, as_json: bool) -> None:
    is_json = "json" in answer.headers.get("content-type", "")
    content: Any = answer.json() if is_json and answer.content else answer.text or None
    if answer.status_code >= _REFUSED:
        if as_json:
            print_json(content)
        fail(f"{answer.status_code} {content['code']}: {content['detail']}" if is_json else answer.text, code=1)
    if as_json or not isinstance(content, dict):
        print_json(content)
    elif isinstance(rows := content.get("data"), list):
        _print_rows(rows)
    else:
        print_fields({name: _shown(value) for name, value in content.items()})


def _print_rows(rows: Sequence[Any]) -> None:
    if not rows or not isinstance(rows[0], dict):
        typer.echo("\n".join(map(str, rows)) or "Nothing.")
        return
    print_table(tuple(rows[0]), [[_shown(value)[:_LONGEST_CELL] for value in each.values()] for each in rows])


def _shown(value: Any) -> str:
    return "" if value is None else _text(value)
