"""Tools for the account, its contact lists and its contacts."""

from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import Field

from app.agents.api import ToolApi
from app.agents.tool import Tool
from app.api.contact_rows import HeldAddress, NewContact
from app.api.types import Id, PublicModel, RequestModel
from app.gateway.pages import Collection, Page, PageRequest, Pagination, pagination
from app.resources.account.schemas import Account, Service
from app.resources.contacts.schemas import Contact
from app.resources.lists.schemas import ContactList

Item = TypeVar("Item")

_MATCHES = 100

PageNumber = Annotated[int, Field(ge=1, le=1_000_000, description="Page number, from 1.")]
PageSize = Annotated[int, Field(ge=1, le=100, description="Items a page; ask for few.")]


class Nothing(RequestModel):
    """Takes nothing."""


class Rules(PublicModel):
    """What the tenant demands before campaigns go out."""

    require_preflight: Annotated[bool, Field(description="Nothing goes out without a preflight's ticket.")]
    two_persons: Annotated[bool, Field(description="Whoever prepares a campaign cannot send it; another person must.")]
    campaigns_per_hour: Annotated[int, Field(description="The most campaigns an hour.")]


class AccountStatus(PublicModel):
    """The account, what it may still send, and what this key may do."""

    username: Annotated[str | None, Field(description="The account's name.")]
    company: Annotated[str | None, Field(description="The company's name.")]
    service: Annotated[Service, Field(description="What the account may send, and until when.")]
    scopes: Annotated[list[str], Field(description="What this key may do.")]
    rules: Annotated[Rules, Field(description="What is demanded before campaigns go out.")]
    now: Annotated[datetime, Field(description="The time now, in the platform's zone.")]


async def _account_status(api: ToolApi, _arguments: Nothing) -> AccountStatus:
    account = await api.read(Account, "/v1/account")
    service = await api.read(Service, "/v1/account/service")
    tenant = api.caller.tenant
    return AccountStatus(
        username=account.username,
        company=account.company,
        service=service,
        scopes=sorted(api.caller.scopes),
        rules=Rules(
            require_preflight=tenant.sends.require_preflight,
            two_persons=tenant.sends.two_persons,
            campaigns_per_hour=tenant.limits.campaigns_per_hour,
        ),
        now=api.services.platform_clock.now(),
    )


class ListContactLists(RequestModel):
    """Which contact lists."""

    name_contains: Annotated[str, Field(max_length=255, description="Part of the name; empty for all lists.")] = ""
    page: PageNumber = 1
    page_size: PageSize = 20


async def _list_contact_lists(api: ToolApi, arguments: ListContactLists) -> Page[ContactList]:
    lists = (await api.read(Collection[ContactList], "/v1/lists")).data
    wanted = [each for each in lists if arguments.name_contains.lower() in (each.name or "").lower()]
    chosen, place = page_of(wanted, arguments.page, arguments.page_size)
    return Page[ContactList](data=chosen, pagination=place)


def page_of(items: list[Item], number: int, size: int) -> tuple[list[Item], Pagination]:
    """Return one page of items that are all here, and where it stands."""
    chosen = items[(number - 1) * size : number * size]
    place = pagination(PageRequest(page=number, page_size=size), total=len(items), received=len(chosen))
    return chosen, place


class FindContact(RequestModel):
    """Which contact."""

    email: Annotated[HeldAddress, Field(description="The whole e-mail address.")]


class FoundContact(PublicModel):
    """A contact in every list that has it."""

    email: Annotated[str, Field(description="The address that was looked for.")]
    contacts: Annotated[list[Contact], Field(description="One entry a list; empty if no list has the address.")]
    complete: Annotated[bool, Field(description="False if there may be more entries than were looked through.")]


async def find_contact(api: ToolApi, email: str, list_id: int | None = None) -> FoundContact:
    """Look an address up, in one list or in all."""
    path = "/v1/contacts" if list_id is None else f"/v1/lists/{list_id}/contacts"
    page = await api.read(Page[Contact], path, q=email, page_size=_MATCHES)
    same = [each for each in page.data if (each.email or "").lower() == email.lower()]
    return FoundContact(email=email, contacts=same, complete=not page.pagination.has_more)


class SaveContact(NewContact):
    """A contact, and the list that is to have it."""

    list_id: Annotated[Id, Field(description="The contact list's id.")]


class SavedContact(PublicModel):
    """A contact as it was saved."""

    created: Annotated[bool, Field(description="True if it was added, false if it was there and has been changed.")]
    contact: Annotated[Contact | None, Field(description="The contact; null if it was saved but not read back.")]


async def _save_contact(api: ToolApi, arguments: SaveContact) -> SavedContact:
    found = await find_contact(api, arguments.email, arguments.list_id)
    body = arguments.model_dump(mode="json", exclude_unset=True, exclude={"list_id"})
    if not found.contacts:
        contact = await api.post(Contact, f"/v1/lists/{arguments.list_id}/contacts", body)
        return SavedContact(created=True, contact=contact)
    (first, *_) = found.contacts
    changes = {name: value for name, value in body.items() if name != "email"}
    if not changes:
        return SavedContact(created=False, contact=first)
    return SavedContact(created=False, contact=await api.change(Contact, "PATCH", f"/v1/contacts/{first.id}", changes))


LOOKUPS = (
    Tool(
        name="account_status",
        title="Account status",
        description="What the account may still send and until when, what this key may do (scopes), which rules stand"
        " before sending (preflight, two persons), and the time now in the platform's zone. Call it first.",
        arguments=Nothing,
        result=AccountStatus,
        routes=("get_account", "get_account_service"),
        run=_account_status,
    ),
    Tool(
        name="list_contact_lists",
        title="List contact lists",
        description="The contact lists with their ids and how many contacts each holds. Gives no contacts.",
        arguments=ListContactLists,
        result=Page[ContactList],
        routes=("list_contact_lists",),
        run=_list_contact_lists,
    ),
    Tool(
        name="find_contact",
        title="Find a contact",
        description="One person by the whole e-mail address, in every list that has it. There is no tool that lists"
        " the contacts of a list.",
        arguments=FindContact,
        result=FoundContact,
        routes=("list_contacts",),
        run=lambda api, arguments: find_contact(api, arguments.email),
    ),
    Tool(
        name="save_contact",
        title="Save a contact",
        description="Puts one person into one list, or changes the person's fields if the list has the address already."
        " Only fields that are given are changed. Sends nothing.",
        arguments=SaveContact,
        result=SavedContact,
        routes=("list_contacts_in_list", "add_contact", "edit_contact"),
        run=_save_contact,
        overwrites=True,
    ),
)
