"""Endpoints of API keys."""

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from app.admin.deps import RepositoryDep, TenantId, admin_router
from app.admin.schemas import KeyView, NewApiKeyBody, NewKeyView
from app.api.responses import PageRequestDep, answer, created, page
from app.gateway.pages import Page, pagination
from app.tenants.models import Identifier

router = admin_router("/tenants/{tenant_id}/keys")

KeyId = Annotated[Identifier, Path(description="The key's id.", examples=["web"])]


@router.get("", summary="List keys", response_model=Page[KeyView])
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


@router.post("", summary="Make a key", response_model=NewKeyView, status_code=201)
async def create_key(tenant_id: TenantId, body: NewApiKeyBody, request: Request, repository: RepositoryDep) -> Response:
    """Make a key and return it, this once. To replace one, make another, move clients over, and revoke the first."""
    made = await repository.create_key(tenant_id, body)
    request.state.context.audit_targets = {"key_id": made.record.id}
    view = NewKeyView(key=made.key.get_secret_value(), record=KeyView.of(made.record))
    return created(view, f"/admin/v1/tenants/{tenant_id}/keys/{made.record.id}")


@router.delete("/{key_id}", summary="Revoke a key", response_model=KeyView)
async def revoke_key(tenant_id: TenantId, key_id: KeyId, repository: RepositoryDep) -> Response:
    """End a key's validity for good, everywhere within a second."""
    return answer(KeyView.of(await repository.revoke_key(tenant_id, key_id)))
