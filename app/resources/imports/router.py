"""Endpoints of imports."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.api.deps import GatewayDep, Reader, Writer
from app.api.documentation import documents
from app.api.pagination import Collection
from app.api.responses import answer
from app.api.types import Id
from app.resources.imports import operations
from app.resources.imports.body import CSV, JSON, MULTIPART, NDJSON, read_file
from app.resources.imports.schemas import (
    ContactsCsv,
    ContactsFile,
    ContactsJson,
    ContactsNdjson,
    Import,
    ImportAccepted,
    ImportRecord,
    OnInvalid,
)

router = APIRouter(prefix="/v1", tags=["Imports"])

_BODIES: dict[str, type[BaseModel]] = {
    JSON: ContactsJson,
    NDJSON: ContactsNdjson,
    CSV: ContactsCsv,
    MULTIPART: ContactsFile,
}


@router.post(
    "/lists/{list_id}/imports",
    **documents(
        operations.CREATE,
        summary="Import contacts",
        bodies=_BODIES,
        response_model=ImportAccepted,
        status_code=202,
    ),
)
async def create_import(
    request: Request,
    list_id: Annotated[Id, Path(description="The contact list's id.", examples=[78])],
    gateway: GatewayDep,
    caller: Writer,
    on_invalid: Annotated[
        OnInvalid,
        Query(description="What an invalid row does: `reject` the whole import, or be left out (`skip`)."),
    ] = "reject",
) -> Response:
    """Hand any number of contacts to the platform, which works them off later and updates contacts it knows."""
    file = await read_file(request, on_invalid)
    accepted = await gateway.call(operations.CREATE, operations.NewImport(list_id, file), caller)
    return answer(accepted, status=202, headers={"Location": f"/v1/imports/{accepted.id}"})


@router.get("/imports", **documents(operations.LIST, summary="List imports", response_model=Collection[ImportRecord]))
async def list_imports(gateway: GatewayDep, caller: Reader) -> Response:
    """Return the platform's log of imports."""
    return answer(await gateway.call(operations.LIST, None, caller))


@router.get("/imports/{import_id}", **documents(operations.GET, summary="Get an import", response_model=Import))
async def get_import(
    import_id: Annotated[Id, Path(description="The import's id.", examples=[10])], gateway: GatewayDep, caller: Reader
) -> Response:
    """Tell whether the platform has worked off an import."""
    return answer(await gateway.call(operations.GET, import_id, caller))
