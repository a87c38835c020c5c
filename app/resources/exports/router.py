"""Endpoints of a list's exports."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.api.deps import GatewayDep, Reader
from app.api.documentation import documents
from app.api.pagination import Collection
from app.api.responses import answer
from app.api.types import Id
from app.resources.exports import operations
from app.resources.exports.schemas import ExportedContact, Unsubscribe

router = APIRouter(prefix="/v1/lists/{list_id}", tags=["Exports"])

ListId = Annotated[Id, Path(description="The contact list's id.", examples=[78])]


@router.get(
    "/contacts/export",
    **documents(operations.CONTACTS, summary="Export a list", response_model=Collection[ExportedContact]),
)
async def export_contacts(list_id: ListId, gateway: GatewayDep, caller: Reader) -> Response:
    """Return the address and name of every contact of a list."""
    return answer(await gateway.call(operations.CONTACTS, list_id, caller))


@router.get(
    "/unsubscribes/export",
    **documents(operations.UNSUBSCRIBES, summary="Export who left a list", response_model=Collection[Unsubscribe]),
)
async def export_unsubscribes(list_id: ListId, gateway: GatewayDep, caller: Reader) -> Response:
    """Return every address that left a list, and when."""
    return answer(await gateway.call(operations.UNSUBSCRIBES, list_id, caller))
