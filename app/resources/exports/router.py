"""Endpoints of a list's exports."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from app.api.deps import ReadCall, resource_router
from app.api.documentation import export_documents
from app.api.exports import RawCells
from app.api.types import Id
from app.resources.exports import operations

router = resource_router("/v1/lists/{list_id}", "Exports")

ListId = Annotated[Id, Path(description="The contact list's id.", examples=[418801])]


@router.get("/contacts/export", **export_documents(operations.CONTACTS, summary="Export a list"))
async def export_contacts(list_id: ListId, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return the address and name of every contact of a list."""
    return call.export(operations.CONTACTS, list_id, raw_cells=raw_cells)


@router.get("/unsubscribes/export", **export_documents(operations.UNSUBSCRIBES, summary="Export who left a list"))
async def export_unsubscribes(list_id: ListId, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return every address that left a list, and when."""
    return call.export(operations.UNSUBSCRIBES, list_id, raw_cells=raw_cells)
