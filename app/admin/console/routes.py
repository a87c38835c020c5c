"""The routes of the status page; no body is read before it is known who sends it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from fastapi import FastAPI, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from app.admin.console.pages import overview_page, sign_in_page, tenant_page
from app.admin.console.sessions import Sessions, read_form, set_cookie
from app.api.deps import services_of
from app.errors import Conflict, NotFound, RateLimited, Unauthenticated
from app.storage.tenants.models import CreatedKey, Missing, NewKey, RepositoryError
from app.storage.tenants.repository import TenantRepository
from app.tenants.models import Identifier, Scope
from app.texts import reason_of

_OVERLAP = timedelta(hours=24)
_KEYS = 500
_SEE_OTHER = 303

TenantId = Annotated[Identifier, Path()]
KeyId = Annotated[Identifier, Path()]
Change = Callable[[TenantRepository, dict[str, str]], Awaitable[CreatedKey | None]]


def install_console(app: FastAPI, sessions: Sessions) -> None:
    """Add the status page to an application whose operators have a token."""
    console = Console(sessions)
    for method, path, endpoint in (
        ("GET", "", console.show_status),
        ("POST", "/sign-in", console.sign_in),
        ("POST", "/sign-out", console.sign_out),
        ("GET", "/tenants/{tenant_id}", console.show_tenant),
        ("POST", "/tenants/{tenant_id}/keys", console.create_key),
        ("POST", "/tenants/{tenant_id}/keys/{key_id}/rotate", console.rotate_key),
        ("POST", "/tenants/{tenant_id}/keys/{key_id}/revoke", console.revoke_key),
    ):
        app.add_api_route(f"/admin{path}", endpoint, methods=[method], include_in_schema=False, response_model=None)


class Console:
    """The endpoints of the status page."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def show_status(self, request: Request, offset: Annotated[int, Query(ge=0, le=10**9)] = 0) -> Response:
        session = self._sessions.of(request)
        if session is None:
            return sign_in_page(request)
        return await overview_page(request, services_of(request), self._sessions.form_token(session), offset)

    async def sign_in(self, request: Request) -> Response:
        token = (await read_form(request)).get("token", "")
        try:
            session = self._sessions.sign_in(token, request)
        except (Unauthenticated, RateLimited) as error:
            request.state.context.refusal = error.reason
            return sign_in_page(request, error.detail, status=error.status)
        return set_cookie(_to(request, "/admin"), request, session)

    async def sign_out(self, request: Request) -> Response:
        session = self._sessions.of(request)
        if session is not None:
            await self._sessions.form(request, session)
        return set_cookie(_to(request, "/admin"), request, "", seconds=0)

    async def show_tenant(self, request: Request, tenant_id: TenantId) -> Response:
        session = self._sessions.of(request)
        if session is None:
            return _to(request, "/admin")
        return await _tenant(request, tenant_id, self._sessions.form_token(session))

    async def create_key(self, request: Request, tenant_id: TenantId) -> Response:
        async def work(repository: TenantRepository, fields: dict[str, str]) -> CreatedKey:
            new = NewKey.model_validate(
                {
                    "id": fields.get("id", "").strip() or None,
                    "scopes": [each for each in Scope if f"scope-{each}" in fields],
                    "networks": fields.get("networks", "").replace(",", " ").split(),
                }
            )
            return await repository.create_key(tenant_id, new)

        return await self._changed(request, tenant_id, work)

    async def rotate_key(self, request: Request, tenant_id: TenantId, key_id: KeyId) -> Response:
        async def work(repository: TenantRepository, _fields: dict[str, str]) -> CreatedKey:
            ends_at = services_of(request).writes.now() + _OVERLAP
            return (await repository.rotate_key(tenant_id, key_id, ends_at))[0]

        return await self._changed(request, tenant_id, work)

    async def revoke_key(self, request: Request, tenant_id: TenantId, key_id: KeyId) -> Response:
        async def work(repository: TenantRepository, _fields: dict[str, str]) -> None:
            await repository.revoke_key(tenant_id, key_id)

        return await self._changed(request, tenant_id, work)

    async def _changed(self, request: Request, tenant_id: str, change: Change) -> Response:
        session = self._sessions.of(request)
        if session is None:
            return _to(request, "/admin")
        fields = await self._sessions.form(request, session)
        token = self._sessions.form_token(session)
        try:
            made = await change(_repository(request), fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            message = f"{first['loc'][0]}: {reason_of(first)}"
            return await _tenant(request, tenant_id, token, message=message, status=422)
        except RepositoryError as error:
            return await _tenant(request, tenant_id, token, message=str(error), status=409)
        if made is None:
            return _to(request, f"/admin/tenants/{tenant_id}")
        request.state.context.audit_targets = {"key_id": made.record.id}
        return await _tenant(request, tenant_id, token, created=made, status=201)


def _to(request: Request, path: str) -> Response:
    return RedirectResponse(f"{request.state.context.root_path}{path}", status_code=_SEE_OTHER)


def _repository(request: Request) -> TenantRepository:
    repository = services_of(request).tenant_repository
    if repository is None:
        raise Conflict("Tenants come from a file (TENANTS_URL); they are changed there.")
    return repository


async def _tenant(
    request: Request,
    tenant_id: str,
    form_token: str,
    *,
    created: CreatedKey | None = None,
    message: str = "",
    status: int = 200,
) -> Response:
    repository = _repository(request)
    try:
        tenant = await repository.get(tenant_id)
        keys = await repository.list_keys(tenant_id, revoked=True, limit=_KEYS)
    except Missing as error:
        raise NotFound(str(error)) from None
    return await tenant_page(
        request,
        services_of(request),
        form_token,
        tenant,
        keys.items,
        created=created,
        message=message,
        status=status,
    )
