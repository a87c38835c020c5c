"""Endpoints of contact lists."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from app.api.deps import ReadCall, WriteCall, resource_router
from app.api.documentation import documents, export_documents
from app.api.exports import RawCells
from app.api.responses import created, no_content, read_back
from app.api.types import Id, ShortText
from app.gateway.pages import Collection
from app.resources.lists import operations
from app.resources.lists.schemas import ContactList, ContactListChanges, NewContactList

router = resource_router("/v1/lists", "Contact lists")

Search = Annotated[ShortText | None, Query(description="Part of a name or a description, in whatever case.")]
ListId = Annotated[Id, Path(description="The contact list's id.", examples=[418801])]


@router.get("", **documents(operations.LIST, summary="List contact lists", response_model=Collection[ContactList]))
async def list_contact_lists(call: ReadCall, q: Search = None) -> Response:
    """Return all contact lists of the account, or those whose name or description contains `q`."""
    return await call.read_containing(operations.LIST, q, "name", "description")


@router.get("/{list_id}", **documents(operations.GET, summary="Get a contact list", response_model=ContactList))
async def get_contact_list(list_id: ListId, call: ReadCall) -> Response:
    """Return one contact list."""
    return await call.read(operations.GET, list_id)


@router.post(
    "",
    **documents(operations.CREATE, summary="Create a contact list", response_model=ContactList, status_code=201),
)
async def create_contact_list(body: NewContactList, call: WriteCall) -> Response:
    """Create an empty contact list."""
    contact_list = await call.run(operations.CREATE, body)
    return created(contact_list, f"/v1/lists/{contact_list.id}")


@router.patch(
    "/{list_id}",
    **documents(operations.EDIT, summary="Change a contact list", response_model=ContactList, read_back=True),
)
async def edit_contact_list(list_id: ListId, body: ContactListChanges, call: WriteCall) -> Response:
    """Change the fields given and return the contact list as it now is."""
    await call.run(operations.EDIT, operations.EditList(list_id, body))
    return await read_back(call.run(operations.GET, list_id))


@router.delete("/{list_id}", **documents(operations.DELETE, summary="Delete a contact list", status_code=204))
async def delete_contact_list(list_id: ListId, call: WriteCall) -> Response:
    """Delete a contact list."""
    await call.run(operations.DELETE, list_id)
    return no_content()


exports = resource_router("/v1/lists/{list_id}", "Exports")


@exports.get("/contacts/export", **export_documents(operations.EXPORT_CONTACTS, summary="Export a list"))
async def export_contacts(list_id: ListId, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return the address and name of every contact of a list."""
    return call.export(operations.EXPORT_CONTACTS, list_id, raw_cells=raw_cells)


@exports.get(
    "/unsubscribes/export", **export_documents(operations.EXPORT_UNSUBSCRIBES, summary="Export who left a list")
)
async def export_unsubscribes(list_id: ListId, call: ReadCall, raw_cells: RawCells = False) -> Response:
    """Return every address that left a list, and when."""
    return call.export(operations.EXPORT_UNSUBSCRIBES, list_id, raw_cells=raw_cells)
