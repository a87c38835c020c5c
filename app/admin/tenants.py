"""Endpoints of tenants, their U-Mail logins and their API keys."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from app.admin.deps import Force, Prober, ProberDep, RepositoryDep, TenantId, admin_router, refuse_forbidden_hosts
from app.admin.schemas import (
    KeyUsageView,
    KeyView,
    LoginBody,
    NewApiKeyBody,
    NewKeyView,
    NewTenantBody,
    Probe,
    ProbedTenant,
    TenantChangesBody,
    TenantView,
    UsageView,
)
from app.api.deps import services_of
from app.api.responses import PageRequestDep, answer, created, no_content, page
from app.errors import FieldError, ValidationFailed
from app.gateway.pages import Page, pagination
from app.storage.tenants.models import TenantPatch
from app.storage.usage import NOTES, month_of, usage_of
from app.tenants.models import Identifier, Tenant
from app.texts import sentence

_MONTH = r"^20\d\d-(0[1-9]|1[0-2])$"

tenants_router = admin_router("/tenants")


@tenants_router.get("", summary="List tenants", response_model=Page[TenantView])
async def list_tenants(request: Request, repository: RepositoryDep, pages: PageRequestDep) -> Response:
    """Return tenants in the order of their ids."""
    found = await repository.list(offset=(pages.page - 1) * pages.page_size, limit=pages.page_size)
    views = [TenantView.of(record) for record in found.items]
    return page(
        request, Page[TenantView](data=views, pagination=pagination(pages, total=found.total, received=len(views)))
    )


@tenants_router.post("", summary="Add a tenant", response_model=ProbedTenant, status_code=201)
async def add_tenant(
    body: NewTenantBody, request: Request, repository: RepositoryDep, prober: ProberDep, force: Force = False
) -> Response:
    """Try the login, and add the tenant if the platform accepts it."""
    tenant = Tenant(**dict(body))
    refuse_forbidden_hosts(request, tenant)
    request.state.context.audit_targets = {"tenant_id": tenant.id}
    probe = await _probed(prober, tenant, "/upstream", force=force)
    record = await repository.add(tenant)
    return created(ProbedTenant(tenant=TenantView.of(record), probe=probe), f"/admin/v1/tenants/{tenant.id}")


@tenants_router.get("/{tenant_id}", summary="Get a tenant", response_model=TenantView)
async def get_tenant(tenant_id: TenantId, repository: RepositoryDep) -> Response:
    """Return a tenant, without its secrets."""
    return answer(TenantView.of(await repository.get(tenant_id)))


@tenants_router.patch("/{tenant_id}", summary="Change a tenant", response_model=TenantView)
async def edit_tenant(
    tenant_id: TenantId, body: TenantChangesBody, request: Request, repository: RepositoryDep
) -> Response:
    """Change the fields given; with `enabled: false` its keys are refused from now on, everywhere within a second."""
    given = {name: getattr(body, name) for name in body.model_fields_set - {"revision"}}
    if body.smtp is not None:
        present = await repository.open(tenant_id)
        refuse_forbidden_hosts(request, present.model_copy(update={"smtp": body.smtp}))
    patch = TenantPatch(**given)
    return answer(TenantView.of(await repository.update(tenant_id, patch, revision=body.revision)))


@tenants_router.delete("/{tenant_id}", summary="Delete a tenant", status_code=204)
async def delete_tenant(tenant_id: TenantId, repository: RepositoryDep) -> Response:
    """Delete a tenant and its keys for good; nothing is deleted at U-Mail."""
    await repository.delete(tenant_id)
    return no_content()


@tenants_router.post("/{tenant_id}/probe", summary="Try the U-Mail login", response_model=Probe)
async def probe_tenant(tenant_id: TenantId, repository: RepositoryDep, prober: ProberDep) -> Response:
    """Ask the platform whether the present login is right."""
    return answer(await prober.probe(await repository.open(tenant_id)))


@tenants_router.put("/{tenant_id}/credentials", summary="Change the U-Mail login", response_model=ProbedTenant)
async def rotate_credentials(
    tenant_id: TenantId,
    body: LoginBody,
    request: Request,
    repository: RepositoryDep,
    prober: ProberDep,
    force: Force = False,
) -> Response:
    """Keep a new login beside the present one, try it, and put it in its place; refused, it is dropped again."""
    present = await repository.open(tenant_id)
    refuse_forbidden_hosts(request, present.model_copy(update={"upstream": body}), within="/upstream")
    await repository.stage(tenant_id, body)
    try:
        probe = await _probed(prober, await repository.open(tenant_id, staged=True), "", force=force)
    except BaseException:
        await repository.rollback(tenant_id)
        raise
    record = await repository.confirm(tenant_id)
    return answer(ProbedTenant(tenant=TenantView.of(record), probe=probe))


@tenants_router.post("/{tenant_id}/credentials/stage", summary="Stage a new U-Mail login", response_model=ProbedTenant)
async def stage_credentials(
    tenant_id: TenantId, body: LoginBody, request: Request, repository: RepositoryDep, prober: ProberDep
) -> Response:
    """Keep a new login beside the present one, which stays in use, and tell what the platform says to it."""
    present = await repository.open(tenant_id)
    refuse_forbidden_hosts(request, present.model_copy(update={"upstream": body}), within="/upstream")
    record = await repository.stage(tenant_id, body)
    probe = await prober.probe(await repository.open(tenant_id, staged=True))
    return answer(ProbedTenant(tenant=TenantView.of(record), probe=probe))


@tenants_router.post("/{tenant_id}/credentials/confirm", summary="Use the staged login", response_model=TenantView)
async def confirm_credentials(tenant_id: TenantId, repository: RepositoryDep) -> Response:
    """Put the staged login in the place of the present one."""
    return answer(TenantView.of(await repository.confirm(tenant_id)))


@tenants_router.post("/{tenant_id}/credentials/rollback", summary="Drop the staged login", response_model=TenantView)
async def rollback_credentials(tenant_id: TenantId, repository: RepositoryDep) -> Response:
    """Drop the staged login; the present one was in use all the time."""
    return answer(TenantView.of(await repository.rollback(tenant_id)))


@tenants_router.get("/{tenant_id}/usage", summary="Get a tenant's usage", response_model=UsageView)
async def get_usage(
    tenant_id: TenantId,
    request: Request,
    month: Annotated[
        str | None,
        Query(
            pattern=r"^20\d\d-(0[1-9]|1[0-2])$",
            description="The month, in UTC; this one by default.",
            examples=["2026-11"],
        ),
    ] = None,
) -> Response:
    """Return requests and sends of a month by key; `notes` says what is not known.

    Usage is known of tenants in a file, too, and outlives their removal.
    """
    services = services_of(request)
    begins = month_of(month or f"{services.writes.now():%Y-%m}")
    await services.usage.flush()
    totals = await services.writes.reading(lambda: usage_of(tenant_id, begins))
    keys = [KeyUsageView.model_validate(asdict(each)) for each in totals]
    view = UsageView(tenant=tenant_id, month=f"{begins:%Y-%m}", keys=keys, credits=None, notes=list(NOTES))
    return answer(view)


async def _probed(prober: Prober, tenant: Tenant, pointer: str, *, force: bool) -> Probe:
    """Try a login."""
    probe = await prober.probe(tenant)
    if probe.outcome == "accepted" or force:
        return probe
    message = sentence("{detail} Nothing was saved; `force=true` saves it all the same.", detail=probe.detail)
    raise ValidationFailed(
        "The platform did not accept the login.",
        [FieldError("body", pointer, f"login_{probe.outcome}", message)],
    )


keys_router = admin_router("/tenants/{tenant_id}/keys")

KeyId = Annotated[Identifier, Path(description="The key's id.", examples=["web"])]


@keys_router.get("", summary="List keys", response_model=Page[KeyView])
async def list_keys(
    tenant_id: TenantId,
    request: Request,
    repository: RepositoryDep,
    pages: PageRequestDep,
    revoked: Annotated[bool, Query(description="Whether revoked ones are among them.")] = False,
) -> Response:
    """Return a tenant's keys, without what they are."""
    await repository.get(tenant_id)
    found = await repository.list_keys(
        tenant_id, revoked=revoked, offset=(pages.page - 1) * pages.page_size, limit=pages.page_size
    )
    views = [KeyView.of(record) for record in found.items]
    return page(
        request, Page[KeyView](data=views, pagination=pagination(pages, total=found.total, received=len(views)))
    )


@keys_router.post("", summary="Make a key", response_model=NewKeyView, status_code=201)
async def create_key(tenant_id: TenantId, body: NewApiKeyBody, request: Request, repository: RepositoryDep) -> Response:
    """Make a key and return it, this once. To replace one, make another, move clients over, and revoke the first."""
    made = await repository.create_key(tenant_id, body)
    request.state.context.audit_targets = {"key_id": made.record.id}
    view = NewKeyView(key=made.key.get_secret_value(), record=KeyView.of(made.record))
    return created(view, f"/admin/v1/tenants/{tenant_id}/keys/{made.record.id}")


@keys_router.delete("/{key_id}", summary="Revoke a key", response_model=KeyView)
async def revoke_key(tenant_id: TenantId, key_id: KeyId, repository: RepositoryDep) -> Response:
    """End a key's validity for good, everywhere within a second."""
    return answer(KeyView.of(await repository.revoke_key(tenant_id, key_id)))
