"""Endpoints of contacts."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from app.api.contact_rows import HeldAddress, NewContact
from app.api.deps import ReadCall, WriteCall, resource_router
from app.api.documentation import documents
from app.api.responses import PageRequestDep, answer, created, no_content, read_back
from app.api.types import EmailAddress, Flag, Id, ShortText
from app.errors import FieldError, NotFound, ValidationFailed
from app.gateway.pages import Page
from app.resources.contacts import operations, subscribing
from app.resources.contacts.schemas import (
    BatchAccepted,
    Contact,
    ContactBatch,
    ContactByEmail,
    ContactChanges,
    ContactDetails,
    Subscriptions,
    SubscriptionsAccepted,
    Unsubscriptions,
    UnsubscriptionsAccepted,
)

router = resource_router("/v1", "Contacts")

ListId = Annotated[Id, Path(description="The contact list's id.", examples=[418801])]
ContactId = Annotated[Id, Path(description="The contact's id.", examples=[90000001])]
EmailOfPath = Annotated[HeldAddress, Path(description="The address.", examples=["wang.wei000@example.com"])]
NewEmailOfPath = Annotated[EmailAddress, Path(description="The address.", examples=["li.na@example.com"])]
_PUT = documents(
    operations.ADD, summary="Add or change a contact by its address", response_model=Contact, read_back=True
)
_PUT["responses"][201] = {"description": "Added", "model": Contact}
Search = Annotated[ShortText | None, Query(description="Part of an address or a name.", examples=["li"])]


@router.get(
    "/lists/{list_id}/contacts",
    **documents(operations.FIND, summary="List the contacts of a list", response_model=Page[Contact]),
)
async def list_contacts_in_list(list_id: ListId, pages: PageRequestDep, call: ReadCall, q: Search = None) -> Response:
    """Return one page of a list's contacts, all or those whose address or name contains `q`."""
    query = operations.FindContacts(list_id, pages, q)
    return await call.page(operations.FIND, query)


@router.get("/contacts", **documents(operations.FIND, summary="List contacts", response_model=Page[Contact]))
async def list_contacts(
    pages: PageRequestDep,
    call: ReadCall,
    q: Search = None,
    unlisted: Annotated[Flag, Query(description="Only contacts that are in no list.")] = False,
) -> Response:
    """Return one page of the contacts of all lists, or of those in no list."""
    query = operations.FindContacts(0 if unlisted else None, pages, q)
    return await call.page(operations.FIND, query)


@router.get(
    "/contacts/by-email/{email}",
    **documents(operations.BY_EMAIL, summary="Find an address in every list", response_model=ContactByEmail),
)
async def get_contact_by_email(email: EmailOfPath, call: ReadCall) -> Response:
    """Return the contacts that have an address, one for each list; 404 if there is none."""
    return await call.read(operations.BY_EMAIL, operations.FindByEmail(email))


@router.put(
    "/lists/{list_id}/contacts/by-email/{email}",
    **_PUT,
)
async def put_contact_by_email(
    list_id: ListId, email: NewEmailOfPath, body: ContactDetails, call: WriteCall
) -> Response:
    """Add an address to a list (201), or change the fields given where the list has it already (200).

    It is looked for first; addresses are compared in lower case, as the platform does. Repeating the request is safe.
    """
    given = body.model_dump(exclude_unset=True)
    try:
        found = await call.run(operations.BY_EMAIL, operations.FindByEmail(email, list_id))
    except NotFound:
        kept = {name: value for name, value in given.items() if value is not None}
        kept["variables"] = {name: value for name, value in body.variables.items() if value is not None}
        contact = await call.run(operations.ADD, operations.AddContact(list_id, NewContact(email=email, **kept)))
        return created(contact, f"/v1/contacts/{contact.id}")
    contact = found.memberships[0]
    if not given.get("variables", True):
        del given["variables"]
    if not given:
        return answer(contact)
    await call.run(operations.EDIT, operations.EditContact(contact.id, ContactChanges(**given)))
    return await read_back(call.run(operations.GET, contact.id))


@router.get("/contacts/{contact_id}", **documents(operations.GET, summary="Get a contact", response_model=Contact))
async def get_contact(contact_id: ContactId, call: ReadCall) -> Response:
    """Return one contact."""
    return await call.read(operations.GET, contact_id)


@router.post(
    "/lists/{list_id}/contacts",
    **documents(operations.ADD, summary="Add a contact", response_model=Contact, status_code=201),
)
async def add_contact(list_id: ListId, body: NewContact, call: WriteCall) -> Response:
    """Add one contact to a list."""
    contact = await call.run(operations.ADD, operations.AddContact(list_id, body))
    return created(contact, f"/v1/contacts/{contact.id}")


@router.post(
    "/lists/{list_id}/contacts/batch",
    **documents(operations.ADD_BATCH, summary="Add up to 500 contacts", response_model=BatchAccepted),
)
async def add_contacts(list_id: ListId, body: ContactBatch, call: WriteCall) -> Response:
    """Add contacts to a list in one call; one bad row refuses the whole batch and nothing is sent."""
    return answer(await call.run(operations.ADD_BATCH, operations.AddBatch(list_id, body.contacts)))


@router.patch(
    "/contacts/{contact_id}",
    **documents(operations.EDIT, summary="Change a contact", response_model=Contact, read_back=True),
)
async def edit_contact(contact_id: ContactId, body: ContactChanges, call: WriteCall) -> Response:
    """Change the fields given and return the contact as it now is."""
    await call.run(operations.EDIT, operations.EditContact(contact_id, body))
    return await read_back(call.run(operations.GET, contact_id))


@router.delete("/contacts/{contact_id}", **documents(operations.DELETE, summary="Delete a contact", status_code=204))
async def delete_contact(contact_id: ContactId, call: WriteCall) -> Response:
    """Delete one contact."""
    await call.run(operations.DELETE, contact_id)
    return no_content()


@router.delete(
    "/lists/{list_id}/contacts",
    **documents(operations.EMPTY, summary="Delete all contacts of a list", status_code=204),
)
async def empty_contact_list(
    list_id: ListId,
    call: WriteCall,
    confirm: Annotated[Flag, Query(description="Must be `true`: this cannot be undone.")] = False,
) -> Response:
    """Delete every contact of a list and keep the empty list."""
    if not confirm:
        error = FieldError("parameter", "confirm", "confirmation_needed", "must be true to delete all contacts")
        raise ValidationFailed("Deleting all contacts of a list needs `confirm=true`.", [error])
    await call.run(operations.EMPTY, list_id)
    return no_content()


subscriptions = resource_router("/v1/lists/{list_id}", "Subscriptions")


@subscriptions.post(
    "/subscriptions",
    **documents(subscribing.SUBSCRIBE, summary="Subscribe people to a list", response_model=SubscriptionsAccepted),
)
async def subscribe_people(list_id: ListId, body: Subscriptions, call: WriteCall) -> Response:
    """Subscribe people to a list in one call; one bad entry refuses them all and nothing is sent."""
    request = subscribing.Subscribe(list_id, body.subscribers)
    return answer(await call.run(subscribing.SUBSCRIBE, request))


@subscriptions.post(
    "/unsubscriptions",
    **documents(
        subscribing.UNSUBSCRIBE, summary="Unsubscribe addresses from a list", response_model=UnsubscriptionsAccepted
    ),
)
async def unsubscribe_addresses(list_id: ListId, body: Unsubscriptions, call: WriteCall) -> Response:
    """Take addresses out of a list in one call; the platform remembers that they left.

    Any address that the platform may hold is taken. What cannot be one is listed in `refused` and keeps nobody else
    from leaving.
    """
    request = subscribing.Unsubscribe.of(list_id, body.emails)
    return answer(await call.run(subscribing.UNSUBSCRIBE, request))
