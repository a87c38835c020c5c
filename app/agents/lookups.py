"""Tools for the account, its contact lists and its contacts."""

from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from app.agents.api import Refused, ToolApi
from app.agents.tool import Tool
from app.api.contact_rows import HeldAddress
from app.api.types import EmailAddress, Id, PublicModel, RequestModel
from app.errors import NotFound
from app.gateway.pages import Collection, Page, PageRequest, Pagination, pagination
from app.resources.account.schemas import Account, Service
from app.resources.contacts.schemas import Contact, ContactByEmail, ContactDetails
from app.resources.lists.schemas import ContactList

Item = TypeVar("Item")


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


def _in_a_path(value: str) -> str:
    if "/" in value:
        raise PydanticCustomError("email_address", "must be one address, as the platform shows it")
    return value


Address = Annotated[HeldAddress, AfterValidator(_in_a_path), Field(description="The whole e-mail address.")]


class FindContact(RequestModel):
    """Which contact."""

    email: Address


async def find_contact(api: ToolApi, email: str) -> ContactByEmail:
    """Look an address up in all lists; what no list has has no memberships."""
    try:
        return await api.read(ContactByEmail, f"/v1/contacts/by-email/{email}")
    except Refused as refused:
        if refused.problem.code != NotFound.code:
            raise
        return ContactByEmail(email=email.lower(), memberships=[])


class SaveContact(ContactDetails):
    """A contact, and the list that is to have it."""

    list_id: Annotated[Id, Field(description="The contact list's id.")]
    email: Annotated[EmailAddress, AfterValidator(_in_a_path), Field(description="The contact's e-mail address.")]


class SavedContact(PublicModel):
    """A contact as it was saved."""

    created: Annotated[bool, Field(description="True if it was added, false if it was there and has been changed.")]
    contact: Annotated[Contact | None, Field(description="The contact; null if it was saved but not read back.")]


async def _save_contact(api: ToolApi, arguments: SaveContact) -> SavedContact:
    body = arguments.model_dump(mode="json", exclude_unset=True, exclude={"list_id", "email"})
    path = f"/v1/lists/{arguments.list_id}/contacts/by-email/{arguments.email}"
    changed = await api.change(Contact, "PUT", path, body)
    return SavedContact(created=changed.created, contact=changed.now)


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
        result=ContactByEmail,
        routes=("get_contact_by_email",),
        run=lambda api, arguments: find_contact(api, arguments.email),
    ),
    Tool(
        name="save_contact",
        title="Save a contact",
        description="Puts one person into one list, or changes the person's fields if the list has the address already."
        " Only fields that are given are changed; null clears one. Sends nothing.",
        arguments=SaveContact,
        result=SavedContact,
        routes=("put_contact_by_email",),
        run=_save_contact,
        overwrites=True,
    ),
)
